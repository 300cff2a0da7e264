// Owns hashing many files with bounded memory and parallelism; unchanged files are not read.
import { createHash } from 'node:crypto'
import { type BigIntStats, stat } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { openReal } from './contained-path.js'
import { eachBounded } from './each-bounded.js'
import { type FileStamp, type HashCache, loadHashCache } from './hash-cache.js'

export interface FileToHash {
  /** Relative to the root: what the cache knows the file by. */
  readonly name: string
  /** Real path. */
  readonly path: string
}

export interface HashRequest {
  /** Real path of the dataset's folder. */
  readonly root: string
  readonly cacheDir: string
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

export interface HashedFiles {
  /** SHA-256 of each file's bytes, in the order of the files. */
  readonly keys: readonly Sha256[]
  /** How many files had to be read. */
  readonly read: number
  readonly notes: readonly string[]
}

const PARALLEL_FILES = 16
const CHUNK_BYTES = 1024 ** 2

/** SHA-256 of what follows in the file, in chunks. @param size expected; sizes the chunk. */
export const hashHandle = async (
  handle: FileHandle,
  size: number,
  signal?: AbortSignal,
): Promise<Sha256> => {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1))
  for (;;) {
    assertNotAborted(signal)
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, null)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(chunk.subarray(0, bytesRead))
  }
}

// The promise API of `stat` costs twice as much, which shows with 100,000 files.
const statOf = (path: string): Promise<BigIntStats> =>
  new Promise((resolve, reject) => {
    stat(path, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)))
  })

const sameStamp = (a: FileStamp, b: FileStamp): boolean =>
  a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino

const readAndRemember = async (
  file: FileToHash,
  cache: HashCache,
  signal: AbortSignal | undefined,
): Promise<Sha256> => {
  const readAtMs = Date.now()
  const handle = await openReal(file.path)
  try {
    const before = await handle.stat({ bigint: true })
    const key = await hashHandle(handle, Number(before.size), signal)
    if (sameStamp(before, await handle.stat({ bigint: true }))) {
      cache.set(file.name, before, key, readAtMs)
    }
    return key
  } finally {
    await handle.close()
  }
}

const VANISHED = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

const explainFailure = (file: FileToHash, cause: unknown): unknown => {
  if (isHeadstartError(cause)) return cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return VANISHED.has(code)
    ? new HeadstartError('DATASET_CHANGED', `${file.name} vanished while it was indexed`, { cause })
    : new HeadstartError('INPUT_MISSING', `cannot read ${file.name}: ${messageOf(cause)}`, {
        cause,
      })
}

/**
 * The content hash of each file. What was hashed is remembered in `cacheDir`, after an abort too.
 *
 * @throws INTERRUPTED; DATASET_CHANGED when a file vanished; INPUT_MISSING when one cannot be read.
 */
export const hashFiles = async (
  files: readonly FileToHash[],
  { root, cacheDir, signal, onProgress }: HashRequest,
): Promise<HashedFiles> => {
  const cache = await loadHashCache(cacheDir, root)
  const keys: Sha256[] = new Array(files.length).fill('')
  const notes: string[] = []
  let done = 0
  let read = 0
  let complete = false
  try {
    await eachBounded(files, PARALLEL_FILES, async (file, index) => {
      assertNotAborted(signal)
      try {
        let key = cache.get(file.name, await statOf(file.path))
        if (key === undefined) {
          read += 1
          key = await readAndRemember(file, cache, signal)
        }
        keys[index] = key
      } catch (cause) {
        throw explainFailure(file, cause)
      }
      done += 1
      onProgress?.(done, files.length)
    })
    complete = true
  } finally {
    // Without a cache the next indexing is slower and nothing else.
    await cache.save({ complete }).catch((error: unknown) => {
      notes.push(`could not remember the hashes of files: ${messageOf(error)}`)
    })
  }
  return { keys, read, notes }
}
