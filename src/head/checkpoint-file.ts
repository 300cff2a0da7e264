// Owns a checkpoint in one file: written beside it and renamed, so a crash never leaves half of it.
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Checkpoint } from './checkpoint.js'

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

let writes = 0

/** A checkpoint at `path`; the folder is made when needed. One training at a time. */
export const fileCheckpoint = (path: string): Checkpoint => ({
  load: async () => {
    try {
      return await readFile(path)
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  },
  save: async (bytes) => {
    await mkdir(dirname(path), { recursive: true })
    writes += 1
    const temporary = `${path}.${process.pid}-${writes}.tmp`
    try {
      const file = await open(temporary, 'w')
      try {
        await file.writeFile(bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  },
  clear: () => rm(path, { force: true }),
})
