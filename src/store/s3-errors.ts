// Owns the translation of S3 errors into the catalogue. Knows names and status codes, not the SDK.
// Messages name bucket and endpoint; requests, headers and credentials never reach them.
import { type ErrorCode, HeadstartError, messageOf } from '../errors.js'

export const statusOf = (error: unknown): number | undefined => {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata = error.$metadata as { readonly httpStatusCode?: number } | undefined
  return metadata?.httpStatusCode
}

export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '')

/** The object is not there; a missing bucket is something else. */
export const isMissingObject = (error: unknown): boolean =>
  statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket'

/** The condition of a write does not hold. */
export const isPreconditionFailed = (error: unknown): boolean => statusOf(error) === 412

/** Two conditional writes met; the server asks to try again. */
export const isConditionalConflict = (error: unknown): boolean => statusOf(error) === 409

/** The range begins after the end of the object. */
export const isBeyondEnd = (error: unknown): boolean => statusOf(error) === 416

const HINTS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'the bucket does not exist',
  AccessDenied: 'the credentials do not allow this',
  InvalidAccessKeyId: 'the server does not know the access key',
  SignatureDoesNotMatch: 'the secret key is wrong for the access key',
  CredentialsProviderError: 'no credentials were found',
  ExpiredToken: 'the session token has expired',
  RequestTimeTooSkewed: 'the clocks of this machine and the server are too far apart',
  TimeoutError: 'the server did not answer in time',
  PermanentRedirect: 'the bucket lies in another region',
  EntityTooLarge: 'the object is too large for one request',
}

/** The error to throw for anything that a request to S3 threw. */
export const s3ErrorOf = (
  error: unknown,
  target: { readonly bucket: string; readonly endpoint: string; readonly action: string },
): unknown => {
  if (error instanceof HeadstartError) return error
  const where = `bucket ${target.bucket} at ${target.endpoint}`
  const fail = (code: ErrorCode, text: string) =>
    new HeadstartError(code, `${where}: ${text} (${target.action})`, { cause: error })
  const name = nameOf(error)
  const status = statusOf(error)
  const hint = HINTS[name]
  if (status === 507) return fail('STORE_FULL', 'the server has no space left')
  if (hint !== undefined) return fail('STORE_UNAVAILABLE', hint)
  if (status !== undefined) {
    return fail('STORE_UNAVAILABLE', `${name || 'error'}, HTTP status ${status}`)
  }
  if (name === 'TypeError' || name === 'RangeError') return error
  // Without an answer it is the network or the SDK's configuration, and the message says which.
  // An AggregateError (one failure for each address) has no message of its own.
  const code = error instanceof Error && 'code' in error ? String(error.code) : name
  return fail('STORE_UNAVAILABLE', messageOf(error) || code)
}
