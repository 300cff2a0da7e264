// Owns BullMQ on Redis: one connection for producers, which fail fast, and one for workers, which wait
// for a server that comes back.
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { HeadstartError, messageOf } from '../errors.js'
import { shownAddress } from './address.js'
import type { QueueBackend } from './port.js'
import { withinTime } from './within-time.js'

/** How long a first connection may take. */
const CONNECT_TIMEOUT_MS = 10_000
const MAX_RECONNECT_DELAY_MS = 2000

const parseUrl = (text: string): URL => {
  // The text is not repeated: it may hold a password.
  if (!URL.canParse(text)) throw new HeadstartError('CONFIG_INVALID', 'the queue is no URL')
  const url = new URL(text)
  if (url.hostname === '' || !/^\/?\d*$/.test(url.pathname))
    throw new HeadstartError(
      'CONFIG_INVALID',
      'a queue is redis://host:port or redis://host:port/db',
    )
  return url
}

const connect = (url: string, options: { readonly maxRetriesPerRequest: number | null }): Redis => {
  const client = new Redis(url, {
    ...options,
    // A producer says at once that Redis is away, instead of keeping requests in memory.
    enableOfflineQueue: options.maxRetriesPerRequest === null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    lazyConnect: true,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), MAX_RECONNECT_DELAY_MS),
  })
  // Without a listener each failed reconnection is printed; commands report what matters.
  client.on('error', () => undefined)
  return client
}

const assertReachable = async (client: Redis, shown: string): Promise<void> => {
  // A connection that fails only says that it is closed; why is told by its first event.
  let reason: unknown
  client.on('error', (error) => {
    reason ??= error
  })
  try {
    const answer = client.connect().then(() => client.ping())
    await withinTime(answer, CONNECT_TIMEOUT_MS, () => new Error('no answer in time'))
    // A database that does not exist is told by an event too, and database 0 taken instead.
    if (reason !== undefined) throw reason
  } catch (error) {
    client.disconnect()
    const cause = reason ?? error
    throw new HeadstartError('QUEUE_UNAVAILABLE', `${shown}: ${messageOf(cause)}`, { cause })
  }
}

/** @throws CONFIG_INVALID, QUEUE_UNAVAILABLE. */
export const openRedis = async (text: string): Promise<QueueBackend> => {
  const url = parseUrl(text)
  const shown = shownAddress(url)
  const producer = connect(text, { maxRetriesPerRequest: 3 })
  await assertReachable(producer, shown)
  const queues = new Map<string, Queue>()
  const consumers: Redis[] = []

  const queue = (name: string): Queue => {
    const existing = queues.get(name)
    if (existing !== undefined) return existing
    const created = new Queue(name, { connection: producer })
    created.on('error', () => undefined)
    queues.set(name, created)
    // One that was made while Redis is away stays broken: the next caller gets another.
    created.waitUntilReady().catch(() => queues.delete(name))
    return created
  }

  return {
    kind: 'redis',
    url: shown,
    queue,
    worker: (name, processor, options) => {
      const connection = connect(text, { maxRetriesPerRequest: null })
      consumers.push(connection)
      return new Worker(name, (job, token) => processor(job, token ?? ''), {
        ...options,
        connection,
      })
    },
    countWorkers: (name) => queue(name).getWorkersCount(),
    close: async () => {
      await Promise.allSettled([...queues.values()].map((one) => one.close()))
      for (const client of [...consumers, producer]) client.disconnect()
    },
  }
}
