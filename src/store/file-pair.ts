// Owns reading an object together with its sidecar `<object>.sha256`, in `sha256sum` format.
// Refuses (STORE_CORRUPT) an object without a sidecar, with other bytes, or behind a symbolic link.
import { constants, type FileHandle, lstat, open, rename } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError } from '../errors.js'
import { type Sha256, sha256 } from '../identity/hash.js'
import { systemCodeOf } from './file-errors.js'
import { linkIfAbsent, type ObjectPaths, withTempFile } from './file-paths.js'
import type { ObjectInfo } from './port.js'

const SIDECAR_LINE = /^([0-9a-f]{64}) [ *]\S+$/
/** Object and sidecar are two files: a reader that meets a change between them looks again. */
const READ_ATTEMPTS = 5
const READ_DELAY_MS = 5
/** A FIFO put there by somebody must not block the reader. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

interface FileStamp {
  readonly bytes: number
  readonly stamp: string
}

interface ReadObject extends FileStamp {
  readonly content: Uint8Array
  readonly sha256: Sha256
}

const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error))

/** Inode and time of writing: a replaced object is another file. */
export const stampOf = async (file: string | FileHandle): Promise<FileStamp | null> => {
  try {
    const info = await (typeof file === 'string'
      ? lstat(file, { bigint: true })
      : file.stat({ bigint: true }))
    if (info.isDirectory()) return null
    return { bytes: Number(info.size), stamp: `${info.ino}-${info.mtimeNs}` }
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}

export const infoOf = (paths: ObjectPaths, hash: Sha256, stamp: FileStamp): ObjectInfo => ({
  key: paths.key,
  bytes: stamp.bytes,
  sha256: hash,
  version: `${hash}-${stamp.stamp}`,
})

const corrupt = (paths: ObjectPaths, text: string): HeadstartError =>
  new HeadstartError('STORE_CORRUPT', `${paths.key} ${text}`)

/** The same memory without Buffer's methods: `slice` of a Buffer does not copy. */
export const plainBytes = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Runs `use` on the open object; null when there is none. */
export const withObject = async <T>(
  paths: ObjectPaths,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T | null> => {
  let handle: FileHandle
  try {
    handle = await open(paths.object, READ_FLAGS)
  } catch (error) {
    if (isAbsent(error)) return null
    if (systemCodeOf(error) === 'ELOOP') throw corrupt(paths, 'is a symbolic link')
    throw error
  }
  try {
    return (await handle.stat()).isFile() ? await use(handle) : null
  } finally {
    await handle.close()
  }
}

/** The object as it lies there, unverified. */
export const readObject = (paths: ObjectPaths): Promise<ReadObject | null> =>
  withObject(paths, async (handle) => {
    const stamp = await stampOf(handle)
    const content = plainBytes(await handle.readFile())
    return { content, sha256: sha256(content), bytes: content.length, stamp: stamp?.stamp ?? '' }
  })

/** The recorded SHA-256; two during `replace`; none when the sidecar is broken; null without one. */
export const readSidecar = async (paths: ObjectPaths): Promise<readonly Sha256[] | null> => {
  const text = await withObject({ ...paths, object: paths.sidecar }, (handle) =>
    handle.readFile('utf8'),
  )
  if (text === null) return null
  const hashes = text.split('\n').filter((line) => line !== '')
  const found = hashes.map((line) => SIDECAR_LINE.exec(line)?.[1])
  return found.every((hash) => hash !== undefined) ? found : []
}

const sidecarTextOf = (paths: ObjectPaths, hashes: readonly Sha256[]): string =>
  hashes.map((hash) => `${hash}  ${path.basename(paths.object)}\n`).join('')

/** Records SHA-256 values over whatever was recorded. */
export const writeSidecar = (
  rootDir: string,
  paths: ObjectPaths,
  hashes: readonly Sha256[],
): Promise<void> =>
  withTempFile(rootDir, sidecarTextOf(paths, [...new Set(hashes)]), (temp) =>
    rename(temp, paths.sidecar),
  )

/** Records a SHA-256 where none is recorded; false when one was. */
export const writeSidecarIfAbsent = (
  rootDir: string,
  paths: ObjectPaths,
  hash: Sha256,
): Promise<boolean> =>
  withTempFile(rootDir, sidecarTextOf(paths, [hash]), (temp) => linkIfAbsent(temp, paths.sidecar))

/** Tries until object and sidecar agree; 'again' asks for another try, its reason for the error. */
const untilConsistent = async <T>(
  paths: ObjectPaths,
  attempt: () => Promise<{ readonly value: T } | { readonly again: string }>,
): Promise<T> => {
  for (let count = 1; ; count += 1) {
    const result = await attempt()
    if ('value' in result) return result.value
    if (count === READ_ATTEMPTS) throw corrupt(paths, result.again)
    await sleep(READ_DELAY_MS * 2 ** count)
  }
}

const NO_SHA256 = 'has no recorded SHA-256'

/** The object, its bytes checked against the sidecar. */
export const readVerified = (paths: ObjectPaths): Promise<ReadObject | null> =>
  untilConsistent(paths, async () => {
    const object = await readObject(paths)
    if (object === null) return { value: null }
    const recorded = await readSidecar(paths)
    if (recorded?.includes(object.sha256)) return { value: object }
    if (!recorded?.length) return { again: NO_SHA256 }
    return {
      again: `has SHA-256 ${object.sha256} over ${object.bytes} bytes, but ${recorded.join(' or ')} was recorded`,
    }
  })

/** Length, recorded SHA-256 and version; bytes are read only where a crash left two records. */
export const readInfo = (paths: ObjectPaths): Promise<ObjectInfo | null> =>
  untilConsistent(paths, async () => {
    const before = await stampOf(paths.object)
    if (before === null) return { value: null }
    const [hash, ...others] = (await readSidecar(paths)) ?? []
    if (hash === undefined) return { again: NO_SHA256 }
    if (others.length > 0) {
      const object = await readVerified(paths)
      return { value: object && infoOf(paths, object.sha256, object) }
    }
    const after = await stampOf(paths.object)
    if (after?.stamp !== before.stamp) return { again: 'changes all the time' }
    return { value: infoOf(paths, hash, before) }
  })
