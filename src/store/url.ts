// Owns what no address of this software may hold, and the addresses of objects in S3.
// Refuses credentials in addresses: they would reach logs, records and the dashboard.
import { HeadstartError } from '../errors.js'

export const BUCKET_PATTERN = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const MAX_KEY_BYTES = 1024

/** What is wrong with an address; null when nothing is. The text is not repeated: it may hold a secret. */
export const faultOfUrl = (text: string): string | null => {
  if (!URL.canParse(text)) return 'is not a URL'
  const { username, password } = new URL(text)
  if (username !== '' || password !== '')
    return 'holds credentials; give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
  return text.includes('?') || text.includes('#') ? 'has a query or a fragment' : null
}

export interface ObjectLocation {
  /** The address in its one form: without '/' at the end. */
  readonly url: string
  readonly bucket: string
  /** Without '/' at either end; '' for the whole bucket. */
  readonly key: string
  /** Written with '/' at the end, which no object of a dataset has. */
  readonly isPrefix: boolean
}

/** Whether an address is meant for S3, well written or not. */
export const isS3Url = (text: string): boolean => /^s3:/i.test(text)

/** Why a key cannot be that of a sample or a table; null when it can. */
export const faultOfObjectKey = (key: string): string | null => {
  if (key.includes('\uFFFD')) return 'the name is not UTF-8'
  if (key.includes('\\')) return 'a backslash'
  if (/\p{Cc}/u.test(key)) return 'a control character'
  for (const part of key.split('/')) {
    if (part === '') return 'an empty part'
    if (part === '.' || part === '..') return `the part "${part}"`
  }
  return null
}

const refuse = (text: string): never => {
  throw new HeadstartError('REQUEST_INVALID', `the S3 address of the dataset ${text}`)
}

/**
 * Reads `s3://bucket/key`. Nothing in it is decoded: `%20` are three characters of the key.
 *
 * @throws REQUEST_INVALID when it is no such address, or holds credentials, a query or a fragment.
 */
export const parseObjectUrl = (text: string): ObjectLocation => {
  const fault = faultOfUrl(text)
  if (fault !== null) refuse(fault)
  if (!text.startsWith('s3://')) refuse('is not s3://bucket/prefix')
  const [bucket = '', ...rest] = text.slice('s3://'.length).split('/')
  if (!BUCKET_PATTERN.test(bucket)) refuse('has no bucket name')
  const written = rest.join('/')
  const key = written.replace(/\/$/, '')
  const keyFault = key === '' ? null : faultOfObjectKey(key)
  if (keyFault !== null) refuse(`has ${keyFault}`)
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) refuse(`has more than ${MAX_KEY_BYTES} bytes`)
  const url = key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`
  return { url, bucket, key, isPrefix: key === '' || written.endsWith('/') }
}
