// Owns a checkpoint in one file: written beside it and renamed, so a crash never leaves half of it.
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import type { Checkpoint } from './checkpoint.js'

const systemCode = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

const failure = (path: string, cause: unknown): HeadstartError => {
  const code = systemCode(cause) === 'ENOSPC' ? 'STORE_FULL' : 'STORE_UNAVAILABLE'
  return new HeadstartError(code, `checkpoint ${path}: ${messageOf(cause)}`, { cause })
}

let writes = 0

/** A checkpoint at `path`; the folder is made when needed. One training at a time. */
export const fileCheckpoint = (path: string): Checkpoint => ({
  load: async () => {
    try {
      return await readFile(path)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null
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
  clear: () => rm(path, { force: true }),
})
