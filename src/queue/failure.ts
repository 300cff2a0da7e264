// Owns how errors travel: between processes, and in the failed reason of a job. The one place where an
// error that cannot pass becomes BullMQ's UnrecoverableError.
import { UnrecoverableError } from 'bullmq'
import { z } from 'zod'
import { ERROR_CATALOGUE, type ErrorCode, HeadstartError, messageOf } from '../errors.js'
import type { PlainError } from './stage-protocol.js'

/** Jobs are small: a thousand bad files need not all be named. */
const MAX_DETAILS = 50
const MAX_CHARACTERS = 2000

const plainErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  details: z.array(z.string()),
})

const isCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, code)

export const toPlainError = (error: unknown): PlainError => ({
  code: error instanceof HeadstartError ? error.code : 'INTERNAL',
  message: messageOf(error).slice(0, MAX_CHARACTERS),
  details:
    error instanceof HeadstartError
      ? error.details.slice(0, MAX_DETAILS).map((detail) => detail.slice(0, MAX_CHARACTERS))
      : [],
})

export const fromPlainError = ({ code, message, details }: PlainError): HeadstartError =>
  new HeadstartError(isCode(code) ? code : 'INTERNAL', message, { details })

/** The failure of a job that this one waited for: it has been tried again as often as it may. */
export class GivenUp extends Error {
  readonly failure: HeadstartError
  constructor(failure: HeadstartError) {
    super(failure.message, { cause: failure })
    this.failure = failure
  }
}

/** What BullMQ is to be thrown: retried unless it cannot pass by itself. */
export const toJobFailure = (error: unknown): Error => {
  if (error instanceof GivenUp)
    return new UnrecoverableError(JSON.stringify(toPlainError(error.failure)))
  const reason = JSON.stringify(toPlainError(error))
  const mayPass = error instanceof HeadstartError && error.retryable
  return mayPass ? new Error(reason) : new UnrecoverableError(reason)
}

/** Reads a failed reason back. BullMQ's own (a job whose workers died too often) are no JSON. */
export const fromFailedReason = (reason: string): HeadstartError => {
  try {
    return fromPlainError(plainErrorSchema.parse(JSON.parse(reason)))
  } catch {
    return new HeadstartError('ENGINE_FAILED', `every worker that took the job died: ${reason}`)
  }
}
