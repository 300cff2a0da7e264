// Owns the translation of file system errors into the catalogue, for the file adapter.
import { HeadstartError } from '../errors.js'

/** The system's code of an error (`ENOENT`, ...), or '' when it has none. */
export const systemCodeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const NOT_PERMITTED: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS'])
const NO_HARD_LINKS: ReadonlySet<string> = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV'])
const DISK_FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])
/** A part of the key's path is an object, or the key is a folder of other objects. */
const KEY_IN_THE_WAY: ReadonlySet<string> = new Set(['ENOTDIR', 'EISDIR', 'EEXIST'])

/** The error to throw for anything that a file operation on the store threw. */
export const storeErrorOf = (error: unknown, rootDir: string, key: string): unknown => {
  if (error instanceof HeadstartError) return error
  const code = systemCodeOf(error)
  const fail = (
    errorCode: 'STORE_FULL' | 'STORE_UNAVAILABLE' | 'STORE_KEY_INVALID',
    text: string,
  ) => new HeadstartError(errorCode, text, { cause: error })
  if (DISK_FULL.has(code)) {
    return fail('STORE_FULL', `the disk of the store folder ${rootDir} is full (${code})`)
  }
  if (NOT_PERMITTED.has(code)) {
    return fail(
      'STORE_UNAVAILABLE',
      `the store folder ${rootDir} is not readable or not writable for this user (${code}, object ${key})`,
    )
  }
  if (NO_HARD_LINKS.has(code)) {
    return fail(
      'STORE_UNAVAILABLE',
      `the store folder ${rootDir} must lie on one file system that has hard links (${code})`,
    )
  }
  if (KEY_IN_THE_WAY.has(code)) {
    return fail('STORE_KEY_INVALID', `${key}: an object and a folder would have the same name`)
  }
  if (code === '') return error
  return fail(
    'STORE_UNAVAILABLE',
    `the store folder ${rootDir} failed with ${code} (object ${key})`,
  )
}
