// Owns `.headstart/up.json`: how commands find the `headstart up` of their folder. It holds the owner's
// token, so only the user who started it may read it. What a killed `up` left behind is ignored.
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HeadstartError } from '../../errors.js'

/** A service that accepts but does not answer in this time is in trouble. */
const ANSWER_TIMEOUT_MS = 3000

// Not strict: what a later release adds does not hide a service that runs.
const upRecordSchema = z.object({
  /** Where the HTTP API listens. */
  url: z.string(),
  token: z.string(),
  pid: z.int().positive(),
  version: z.string(),
  /** Addresses without credentials. */
  store: z.string(),
  queue: z.string(),
})
export type UpRecord = z.output<typeof upRecordSchema>

const pathIn = (folder: string): string => join(folder, '.headstart', 'up.json')

const read = async (folder: string): Promise<UpRecord | null> => {
  try {
    return upRecordSchema.parse(JSON.parse(await readFile(pathIn(folder), 'utf8')))
  } catch {
    return null
  }
}

/** @param folder holds `.headstart`. */
export const writeUpRecord = async (folder: string, record: UpRecord): Promise<void> => {
  const path = pathIn(folder)
  const prepared = `${path}-${randomUUID()}`
  await mkdir(join(folder, '.headstart'), { recursive: true })
  await writeFile(prepared, `${JSON.stringify(record, null, 2)}\n`, { flag: 'wx', mode: 0o600 })
  await rename(prepared, path)
}

/** Removes this record, and no other. */
export const removeUpRecord = async (folder: string, { token }: UpRecord): Promise<void> => {
  if ((await read(folder))?.token === token) await rm(pathIn(folder), { force: true })
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * The `headstart up` that serves this folder; null when none does.
 *
 * @throws QUEUE_UNAVAILABLE when it runs but does not answer.
 */
export const findUp = async (folder: string): Promise<UpRecord | null> => {
  const record = await read(folder)
  if (record === null) return null
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const answer = await fetch(new URL('/health/live', record.url), { signal, redirect: 'error' })
    await answer.body?.cancel()
    return answer.ok ? record : null
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    if (!isLate || !isRunning(record.pid)) return null
    throw new HeadstartError(
      'QUEUE_UNAVAILABLE',
      `the service at ${record.url} (process ${record.pid}) does not answer`,
      { cause: error },
    )
  }
}
