// Owns the rule for store keys: what every adapter accepts, so that a key means one object on each.
// Refuses whatever could leave the store's folder or meet an adapter's own files.
import { HeadstartError } from '../errors.js'
import type { StoreKey } from './port.js'

/** Leaves room for `.sha256` within the 255 bytes that file systems allow for a name. */
const MAX_SEGMENT_CHARACTERS = 240
/** S3 allows 1,024 bytes for the store's prefix and the key together. */
const MAX_KEY_CHARACTERS = 900

const SEGMENT_PATTERN = /^[A-Za-z0-9._-]+$/

/** Ending of the file that records an object's SHA-256 beside it (file adapter). */
export const SIDECAR_SUFFIX = '.sha256'
/** Folder of the file adapter for what is being written. */
export const TEMP_FOLDER = '.tmp'

const faultOfSegment = (segment: string): string | null => {
  if (segment === '') return 'has an empty segment'
  if (segment === '.' || segment === '..') return `has the segment '${segment}'`
  if (!SEGMENT_PATTERN.test(segment)) return 'has characters that are not allowed'
  if (segment.length > MAX_SEGMENT_CHARACTERS) {
    return `has a segment longer than ${MAX_SEGMENT_CHARACTERS} characters`
  }
  if (segment.endsWith(SIDECAR_SUFFIX)) return `has a segment that ends in '${SIDECAR_SUFFIX}'`
  return null
}

const faultOfSegments = (text: string): string | null => {
  if (text.length > MAX_KEY_CHARACTERS) return `is longer than ${MAX_KEY_CHARACTERS} characters`
  const segments = text.split('/')
  if (segments[0] === TEMP_FOLDER) return `begins with '${TEMP_FOLDER}'`
  for (const segment of segments) {
    const fault = faultOfSegment(segment)
    if (fault !== null) return fault
  }
  return null
}

const refuse = (what: string, text: string, fault: string): never => {
  const shown = text.length > 120 ? `${text.slice(0, 120)}...` : text
  throw new HeadstartError('STORE_KEY_INVALID', `${what} ${JSON.stringify(shown)} ${fault}`)
}

/** Whether the text is a key that every adapter accepts. */
export const isStoreKey = (text: string): boolean => faultOfSegments(text) === null

/** @throws STORE_KEY_INVALID when the text is not a key that every adapter accepts. */
export const assertStoreKey = (key: StoreKey): void => {
  const fault = faultOfSegments(key)
  if (fault !== null) refuse('store key', key, fault)
}

/**
 * A prefix is the beginning of a key: it may be empty, end with '/' or end within a segment.
 *
 * @throws STORE_KEY_INVALID when no key can begin like this.
 */
export const assertStorePrefix = (prefix: string): void => {
  const text = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  if (prefix === '') return
  const fault = faultOfSegments(text)
  if (fault !== null) refuse('store prefix', prefix, fault)
}
