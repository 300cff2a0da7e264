// Owns which kinds of jobs a worker takes, and that each has exactly one handler.
import { HeadstartError } from '../errors.js'
import type { JobKind } from './jobs.js'

export const WORKER_KINDS = ['extract', 'train'] as const
export type WorkerKind = (typeof WORKER_KINDS)[number]

/** The coordinator runs where shards do: it needs no engine, and there is always one of them. */
export const KINDS_OF_WORKER: Readonly<Record<WorkerKind, readonly JobKind[]>> = {
  extract: ['extraction', 'shard'],
  train: ['training'],
}

export interface Binding {
  readonly kind: JobKind
  readonly queueName: string
}

/**
 * Refuses to start a worker that would leave jobs lying, or have two handlers take turns.
 *
 * @throws WORKER_INVALID naming each fault.
 */
export const assertBindings = (worker: WorkerKind, bindings: readonly Binding[]): void => {
  const faults = [
    ...KINDS_OF_WORKER[worker]
      .filter((kind) => bindings.every((binding) => binding.kind !== kind))
      .map((kind) => `no handler for ${kind} jobs`),
    ...bindings
      .filter((one, i) => bindings.findIndex(({ queueName }) => queueName === one.queueName) !== i)
      .map(({ queueName }) => `two handlers for ${queueName}`),
    ...bindings
      .filter(({ kind }) => !KINDS_OF_WORKER[worker].includes(kind))
      .map(({ kind }) => `a handler for ${kind} jobs, which are not for this worker`),
  ]
  if (faults.length === 0) return
  throw new HeadstartError('WORKER_INVALID', `the ${worker} worker does not start`, {
    details: faults,
  })
}
