// Owns errors on their way between threads and processes: they lose their class there, so they travel as data.
import { type ErrorCode, HeadstartError, messageOf } from '../../errors.js'

export interface Failure {
  readonly ok: false
  readonly code: ErrorCode
  readonly message: string
  readonly details: readonly string[]
}

export const toFailure = (error: unknown): Failure => {
  const known = error instanceof HeadstartError
  return {
    ok: false,
    code: known ? error.code : 'ENGINE_FAILED',
    message: messageOf(error),
    details: known ? error.details : [],
  }
}
