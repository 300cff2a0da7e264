// Owns the contract of a queue: what BullMQ gives on either of its stores. Deliberately not in it: flows,
// schedulers, events.
import type { Job, Queue, Worker, WorkerOptions } from 'bullmq'

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
