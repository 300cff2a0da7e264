// Owns BullMQ on an embedded PostgreSQL (PGlite) in a folder. One process owns the folder at a time:
// producers elsewhere go through that process.
import { EventEmitter } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq'
import { HeadstartError, messageOf } from '../errors.js'
import { acquireFolder } from './owner-lock.js'
import type { QueueBackend } from './port.js'

/** BullMQ's statements begin with comments. */
const LISTEN = /^(?:\s*--[^\n]*\n)*\s*(UN)?LISTEN\s+"?([a-z_]+)"?/i

/** What BullMQ asks of a PostgreSQL client; each has its own notifications. */
class PgliteClient extends EventEmitter {
  readonly #db: PGlite
  readonly #stop = new Map<string, () => Promise<void>>()

  constructor(db: PGlite) {
    super()
    this.setMaxListeners(0)
    this.#db = db
  }

  async query(text: string, params?: readonly unknown[]) {
    // PGlite answers within microtasks: a worker that asks again and again would starve every timer.
    await yieldToLoop()
    const [, un, channel] = LISTEN.exec(text) ?? []
    if (channel !== undefined) {
      await this.#stop.get(channel)?.()
      this.#stop.delete(channel)
      if (un === undefined) {
        const notify = (payload: string) => this.emit('notification', { channel, payload })
        this.#stop.set(channel, await this.#db.listen(channel, notify))
      }
      return { rows: [], rowCount: 0 }
    }
    // Only a text without parameters may hold several statements.
    if (params === undefined || params.length === 0) {
      const results = await this.#db.exec(text)
      const last = results.at(-1)
      return { rows: last?.rows ?? [], rowCount: last?.affectedRows ?? 0 }
    }
    const { rows, affectedRows } = await this.#db.query(text, [...params])
    return { rows, rowCount: affectedRows ?? rows.length }
  }

  release(): void {
    for (const stop of this.#stop.values()) void stop().catch(() => undefined)
    this.#stop.clear()
  }
}

/** Has the shape of a `pg.Pool`. */
class PglitePool extends PgliteClient {
  readonly #database: PGlite

  constructor(db: PGlite) {
    super(db)
    this.#database = db
  }

  connect = async (): Promise<PgliteClient> => new PgliteClient(this.#database)
  /** The database is closed by its owner. */
  end = async (): Promise<void> => undefined
}

const openDatabase = async (folder: string): Promise<PGlite> => {
  const db = new PGlite(join(folder, 'data'))
  try {
    await db.waitReady
    await runMigrations(new PgliteClient(db) as never, 'bullmq')
    await db.exec('SET search_path TO bullmq')
    return db
  } catch (error) {
    await db.close().catch(() => undefined)
    throw new HeadstartError(
      'QUEUE_UNAVAILABLE',
      `the embedded queue in ${folder} does not open: ${messageOf(error)}`,
      { cause: error },
    )
  }
}

/** @throws QUEUE_OWNED, QUEUE_UNAVAILABLE. */
export const openEmbedded = async (path: string): Promise<QueueBackend> => {
  const folder = resolve(path)
  await mkdir(folder, { recursive: true })
  const release = await acquireFolder(folder)
  let db: PGlite
  try {
    db = await openDatabase(folder)
  } catch (error) {
    await release()
    throw error
  }
  const connection = new PglitePool(db) as never
  const queues = new Map<string, Queue>()
  const workers = new Map<string, number>()

  return {
    kind: 'embedded',
    url: folder,
    queue: (name) => {
      const existing = queues.get(name)
      if (existing !== undefined) return existing
      const created = new Queue(name, { connection }, createPostgresBackend as never) as Queue
      created.on('error', () => undefined)
      queues.set(name, created)
      return created
    },
    worker: (name, processor, options) => {
      const worker = new Worker(
        name,
        (job, token) => processor(job, token ?? ''),
        { ...options, connection },
        createPostgresBackend as never,
      ) as unknown as Worker
      workers.set(name, (workers.get(name) ?? 0) + 1)
      worker.once('closing', () => workers.set(name, (workers.get(name) ?? 1) - 1))
      return worker
    },
    // Only this process can have any.
    countWorkers: async (name) => workers.get(name) ?? 0,
    close: async () => {
      await Promise.allSettled([...queues.values()].map((one) => one.close()))
      await db.close()
      await release()
    },
  }
}
