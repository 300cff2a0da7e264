// Owns who owns a folder: one living process. The owner listens on a loopback port that its record
// names, so a killed owner is known at once, even when its process id was given to somebody else.
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import { isAlive } from '../store/process-alive.js'

const RECORD = 'owner.json'
/** A stopped owner's kernel still accepts; only a port that nobody listens on refuses. */
const PROBE_TIMEOUT_MS = 2000
const ATTEMPTS = 5

const recordSchema = z.strictObject({
  pid: z.int().positive(),
  /** Another host's loopback cannot be asked. */
  host: z.string(),
  port: z.int().positive(),
  /** Another process may listen on the port later: it does not know this. */
  id: z.string(),
})
type OwnerRecord = z.output<typeof recordSchema>

const parseRecord = (text: string): OwnerRecord | null => {
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}

/** Whether the process that wrote the record lives. */
const owns = ({ pid, port, id }: OwnerRecord): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    let answer = ''
    const settle = (alive: boolean): void => {
      socket.destroy()
      resolve(alive)
    }
    // Accepted, but silent: a stopped process still owns the folder.
    socket.setTimeout(PROBE_TIMEOUT_MS, () => settle(isAlive(pid)))
    socket.on('data', (data) => {
      answer += data.toString('latin1')
    })
    socket.on('end', () => settle(answer === id))
    socket.on('error', () => settle(false))
  })

const listen = (id: string): Promise<{ server: Server; port: number }> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(id)
    })
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.unref()
      if (address === null || typeof address === 'string') reject(new Error('no port'))
      else resolve({ server, port: address.port })
    })
  })

const isExisting = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EEXIST'

/** Links the record into place. @returns the text that stands in the way, or null when it worked. */
const tryTake = async (path: string, text: string): Promise<string | null> => {
  const prepared = `${path}-${randomUUID()}`
  await writeFile(prepared, text, { flag: 'wx', mode: 0o600 })
  try {
    await link(prepared, path)
    return null
  } catch (error) {
    if (!isExisting(error)) throw error
    return await readFile(path, 'utf8').catch(() => '')
  } finally {
    await rm(prepared, { force: true })
  }
}

/** Takes a dead owner's record away; puts it back when it was somebody else's by then. */
const removeStale = async (path: string, staleText: string): Promise<void> => {
  const moved = `${path}-${randomUUID()}`
  await rename(path, moved).catch(() => undefined)
  const text = await readFile(moved, 'utf8').catch(() => null)
  if (text !== null && text !== staleText) await link(moved, path).catch(() => undefined)
  await rm(moved, { force: true })
}

/**
 * Takes a folder for this process.
 *
 * @returns how to give it back.
 * @throws QUEUE_OWNED when a living process has it.
 */
export const acquireFolder = async (folder: string): Promise<() => Promise<void>> => {
  const path = join(folder, RECORD)
  const id = randomUUID()
  const { server, port } = await listen(id)
  const text = JSON.stringify({ pid: process.pid, host: hostname(), port, id })
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const inTheWay = await tryTake(path, text)
    if (inTheWay === null)
      return async () => {
        if ((await readFile(path, 'utf8').catch(() => null)) === text)
          await rm(path, { force: true })
        server.close()
      }
    const owner = parseRecord(inTheWay)
    if (owner !== null && owner.host !== hostname()) {
      server.close()
      throw new HeadstartError(
        'QUEUE_OWNED',
        `the embedded queue in ${folder} belongs to process ${owner.pid} on ${owner.host}`,
        { details: [`if that process is gone for good, remove ${path}`] },
      )
    }
    if (owner !== null && (await owns(owner))) {
      server.close()
      throw new HeadstartError(
        'QUEUE_OWNED',
        `the embedded queue in ${folder} belongs to process ${owner.pid}, which is running`,
      )
    }
    await removeStale(path, inTheWay)
  }
  server.close()
  throw new HeadstartError('QUEUE_OWNED', `others keep taking the embedded queue in ${folder}`)
}
