// Owns who owns a folder: one living process, which listens on the loopback port that its record names,
// so that a killed owner is known at once. Its record has a name of its own in a folder that takes the
// place of an empty one only: whoever removes a dead owner's record cannot meet a later one.
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import { isAlive } from '../store/process-alive.js'

const RECORDS = 'owner'
/** A stopped owner's kernel still accepts; only a port that nobody listens on refuses. */
const PROBE_TIMEOUT_MS = 2000
const ATTEMPTS = 5

const recordSchema = z.object({
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

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined

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
    // Nobody listens: it is dead. Any other failure says nothing about the owner.
    socket.on('error', (error) => settle(codeOf(error) !== 'ECONNREFUSED' && isAlive(pid)))
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

/** What stands in the way of a record. */
interface Found {
  readonly file: string
  /** Null: what is there is no record. */
  readonly owner: OwnerRecord | null
}

/** Renames a folder with the record into place. @returns whether there was no other one. */
const tryTake = async (records: string, record: OwnerRecord): Promise<boolean> => {
  const prepared = `${records}-${record.id}`
  await mkdir(prepared, { mode: 0o700 })
  try {
    await writeFile(join(prepared, record.id), JSON.stringify(record), { mode: 0o600 })
    await rename(prepared, records)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(prepared, { recursive: true, force: true })
  }
}

const findRecords = async (records: string): Promise<readonly Found[]> => {
  const found: Found[] = []
  for (const name of await readdir(records).catch(() => [])) {
    const file = join(records, name)
    const text = await readFile(file, 'utf8').catch(() => null)
    // One that is gone by now stands in nobody's way.
    if (text !== null) found.push({ file, owner: parseRecord(text) })
  }
  return found
}

/** @throws QUEUE_OWNED when a process has the folder that lives, or may live on another host. */
const assertDead = async (folder: string, owner: OwnerRecord, file: string): Promise<void> => {
  const belongs = `the embedded queue in ${folder} belongs to process ${owner.pid}`
  if (owner.host !== hostname())
    throw new HeadstartError('QUEUE_OWNED', `${belongs} on ${owner.host}`, {
      details: [`if that process is gone for good, remove ${file}`],
    })
  if (await owns(owner)) throw new HeadstartError('QUEUE_OWNED', `${belongs}, which is running`)
}

/** Takes dead owners' records away until the own one has its place. */
const take = async (folder: string, record: OwnerRecord): Promise<void> => {
  const records = join(folder, RECORDS)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (await tryTake(records, record)) return
    for (const { file, owner } of await findRecords(records)) {
      if (owner !== null) await assertDead(folder, owner, file)
      await rm(file, { force: true })
    }
  }
  throw new HeadstartError('QUEUE_OWNED', `others keep taking the embedded queue in ${folder}`)
}

/**
 * Takes a folder for this process.
 *
 * @returns how to give it back.
 * @throws QUEUE_OWNED when a living process has it.
 */
export const acquireFolder = async (folder: string): Promise<() => Promise<void>> => {
  const id = randomUUID()
  const { server, port } = await listen(id)
  try {
    await take(folder, { pid: process.pid, host: hostname(), port, id })
  } catch (error) {
    server.close()
    throw error
  }
  return async () => {
    await rm(join(folder, RECORDS, id), { force: true })
    // Somebody else may have it by now.
    await rmdir(join(folder, RECORDS)).catch(() => undefined)
    server.close()
  }
}
