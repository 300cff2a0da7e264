// Owns what a failure prints, for people and as JSON, and its exit code.
import { type ErrorCode, HeadstartError, messageOf } from '../errors.js'
import { EXIT_CODES } from './exit-codes.js'
import { interruptedExitCode } from './interruption.js'

const MAX_DETAILS = 25

/** Found only by doing the work: the request itself was well formed. */
const FOUND_WHILE_WORKING: ReadonlySet<ErrorCode> = new Set([
  'DATASET_QUARANTINE_EXCEEDED',
  'FEATURES_MISMATCH',
  'HEAD_DIVERGED',
  'JOB_CANCELLED',
])

export const exitCodeOf = (error: unknown): number => {
  if (!(error instanceof HeadstartError)) return EXIT_CODES.failed
  const { code, httpStatus, retryable } = error
  if (code === 'INTERRUPTED') return interruptedExitCode()
  const workFailed = httpStatus >= 500 || retryable || FOUND_WHILE_WORKING.has(code)
  return workFailed ? EXIT_CODES.failed : EXIT_CODES.wrongRequest
}

/** @param debug whether to print the stack. */
export const describeFailure = (error: unknown, debug: boolean): string => {
  if (!(error instanceof HeadstartError)) {
    const stack = error instanceof Error && debug ? `\n${error.stack}` : ''
    return `error INTERNAL: ${messageOf(error)}${stack}\n  This is a defect. HEADSTART_DEBUG=1 prints where.`
  }
  const shown = error.details.slice(0, MAX_DETAILS).map((detail) => `  - ${detail}`)
  const more = error.details.length - shown.length
  const lines = [
    `error ${error.code}: ${error.message}`,
    ...shown,
    ...(more > 0 ? [`  - and ${more} more`] : []),
    `  ${error.remedy}`,
    ...(debug && error.stack !== undefined ? [error.stack] : []),
  ]
  return lines.join('\n')
}

/** The one document that --json prints for a failure. */
export const jsonFailure = (error: unknown): string => {
  const known = error instanceof HeadstartError
  const { code, details, remedy } = known ? error : { code: 'INTERNAL', details: [], remedy: '' }
  return JSON.stringify({ error: { code, message: messageOf(error), details, remedy } }, null, 2)
}
