// Owns the choice of the queue: Redis, or an embedded PostgreSQL in a folder. Both run the same BullMQ.
// Refuses what is no queue's address; never shows a password.
import type { Job, Queue, Worker, WorkerOptions } from 'bullmq'
import { HeadstartError } from '../errors.js'

/** What is called to work on one job: `token` proves the lock. */
export type Processor = (job: Job, token: string) => Promise<unknown>

/** Queues and workers of one connection. Close it after the workers. */
export interface QueueBackend {
  readonly kind: 'redis' | 'embedded'
  /** For people: without user and password. */
  readonly url: string
  /** A producer's view of a queue; one object a name, closed with the backend. */
  queue(name: string): Queue
  /** The caller closes the worker. */
  worker(name: string, processor: Processor, options: Omit<WorkerOptions, 'connection'>): Worker
  /** Workers of any process that take jobs of this queue. */
  countWorkers(name: string): Promise<number>
  close(): Promise<void>
}

const REDIS_URL = /^rediss?:\/\//

/**
 * Opens the queue at an address.
 *
 * @param url `redis://[user:password@]host:port[/db]`, `rediss://...`, or the folder that holds an
 *   embedded queue (created where it is missing).
 * @throws CONFIG_INVALID, QUEUE_UNAVAILABLE; QUEUE_OWNED when another process owns the folder.
 */
export const openBackend = async (url: string): Promise<QueueBackend> => {
  if (REDIS_URL.test(url)) return (await import('./redis.js')).openRedis(url)
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url))
    throw new HeadstartError('CONFIG_INVALID', 'a queue is redis://host:port or a folder')
  return (await import('./embedded.js')).openEmbedded(url)
}
