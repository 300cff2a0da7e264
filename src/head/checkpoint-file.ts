// Owns a checkpoint in one file: written beside it and renamed, so a crash never leaves half of it.
// Trainings that nobody came back to are removed.
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import type { Checkpoint } from './checkpoint.js'

const systemCode = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

const failure = (path: string, cause: unknown): HeadstartError => {
  const code = systemCode(cause) === 'ENOSPC' ? 'STORE_FULL' : 'STORE_UNAVAILABLE'
  return new HeadstartError(code, `checkpoint ${path}: ${messageOf(cause)}`, { cause })
}

let writes = 0

const ABANDONED_AFTER_MS = 30 * 24 * 3600 * 1000
/** Trainings are kept under their ids (SHA-256). */
const TRAINING_NAME = /^[0-9a-f]{64}$/

/**
 * Removes trainings that nobody came back to for 30 days. Best effort: the next one tries again.
 *
 * @param folder holds a folder a training.
 */
export const removeAbandoned = async (folder: string): Promise<void> => {
  const oldest = Date.now() - ABANDONED_AFTER_MS
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((entry) => TRAINING_NAME.test(entry))) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => null)
    if (found !== null && found.mtimeMs < oldest)
      await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

/**
 * A checkpoint at `path`; the folder is made when needed. One training at a time.
 */
export const fileCheckpoint = (path: string): Checkpoint => ({
  load: async () => {
    try {
      return await readFile(path)
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null
      throw failure(path, error)
    }
  },
  save: async (bytes) => {
    writes += 1
    const temporary = `${path}.${process.pid}-${writes}.tmp`
    try {
      await mkdir(dirname(path), { recursive: true })
      const file = await open(temporary, 'w')
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined)
      throw failure(path, error)
    }
  },
  // What cannot be removed now is of no harm, and is removed when it is old.
  clear: () => rm(path, { force: true }).catch(() => undefined),
})
