// Owns waiting for jobs. It asks again and again instead of listening, so that a queue that was away,
// emptied or restarted is no special case.
import { setTimeout as sleep } from 'node:timers/promises'
import { assertNotAborted, HeadstartError, isHeadstartError } from '../errors.js'
import { fromPlainError } from './failure.js'
import type { JobHandle, JobResult, JobView } from './types.js'

const POLL_MS = 250
/** A queue that does not answer for longer is reported; jobs go on all the same. */
const AWAY_MS = 60_000
/** An ended job that is asked for again is gone for a moment, before the new one is there. */
const GONE_MS = 3000

export interface HandleSource {
  getJob(id: string): Promise<JobView | null>
  cancelJob(id: string): Promise<JobView>
}

const isEnded = ({ state }: JobView): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled'

/** @throws what became of a job that has no result. */
const resultOf = (job: JobView): JobResult => {
  if (job.result !== null) return job.result
  if (job.state === 'failed' && job.error !== null) throw fromPlainError(job.error)
  throw job.state === 'cancelled'
    ? new HeadstartError('JOB_CANCELLED', `${job.id} was cancelled`)
    : new HeadstartError('JOB_LOST', `the queue has no result of ${job.id}`)
}

/** Asks until the queue answers and knows the job, for a while. */
const askPatiently = async (
  source: HandleSource,
  id: string,
  signal: AbortSignal | undefined,
): Promise<JobView> => {
  const started = performance.now()
  for (;;) {
    assertNotAborted(signal)
    const waitedMs = performance.now() - started
    try {
      const job = await source.getJob(id)
      if (job !== null) return job
      if (waitedMs > GONE_MS) throw new HeadstartError('JOB_LOST', `the queue does not know ${id}`)
    } catch (error) {
      if (!isHeadstartError(error, 'QUEUE_UNAVAILABLE') || waitedMs > AWAY_MS) throw error
    }
    await sleep(POLL_MS)
  }
}

/** What listeners are called for; times change with every look of a worker. */
const looksOf = ({ state, progress, error }: JobView): string =>
  JSON.stringify([state, progress, error])

/** A handle to jobs that were enqueued. */
export const createHandle = <Result extends JobResult>(
  source: HandleSource,
  ids: readonly string[],
): JobHandle<Result> => {
  const listeners = new Set<(job: JobView) => void>()

  const follow = async (id: string, signal: AbortSignal | undefined): Promise<Result> => {
    let shown = ''
    for (;;) {
      const job = await askPatiently(source, id, signal)
      const looks = looksOf(job)
      if (looks !== shown) for (const listener of listeners) listener(job)
      shown = looks
      if (isEnded(job)) return resultOf(job) as Result
      await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() =>
        assertNotAborted(signal),
      )
    }
  }

  return {
    ids,
    on: (_event, listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    finished: async ({ signal } = {}) => {
      // The first failure is told at once: the others may wait for a worker for ever.
      const failed = new AbortController()
      const either = AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])])
      try {
        return await Promise.all(ids.map((id) => follow(id, either)))
      } finally {
        failed.abort()
      }
    },
    cancel: async () => {
      for (const id of ids) await source.cancelJob(id)
    },
  }
}
