// Owns adding a job once: whoever asks for the same work shares the job that exists. One that ended
// without what is asked for makes room for a new one.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job, Queue } from 'bullmq'
import { fromFailedReason } from './failure.js'
import { JOB_OPTIONS, type JobKind, type PayloadOf } from './jobs.js'
import { readJob } from './read-job.js'

export type Existing = 'none' | 'unfinished' | 'cancelling' | 'completed' | 'failed'

const UNFINISHED: ReadonlySet<string> = new Set(['waiting', 'active', 'delayed', 'prioritized'])

/** What has become of a job. */
export const lookAt = async (
  queue: Queue,
  id: string,
): Promise<{ readonly existing: Existing; readonly job: Job | null }> => {
  const seen = await readJob(queue, id)
  if (seen === null) return { existing: 'none', job: null }
  const { job, state } = seen
  if (UNFINISHED.has(state))
    return {
      existing: (job.data as { cancelled?: boolean }).cancelled ? 'cancelling' : 'unfinished',
      job,
    }
  if (state === 'completed' || state === 'failed') return { existing: state, job }
  return { existing: 'none', job: null }
}

/**
 * Whether a failed job failed for this request: not an earlier one's failure, not somebody else's
 * cancellation, and not content that only another request named.
 */
export const isOurFailure = (
  failed: Job,
  { payload, ageMs }: { readonly payload: { readonly content: string }; readonly ageMs: number },
): boolean => {
  const { code } = fromFailedReason(failed.failedReason ?? '')
  const isEarlier = (failed.finishedOn ?? 0) < Date.now() - ageMs
  const isOfContent = code.startsWith('DATASET_') || code === 'INPUT_MISSING'
  const { content } = failed.data as { content?: string }
  return !isEarlier && code !== 'JOB_CANCELLED' && !(isOfContent && content !== payload.content)
}

/** Adding an id that exists changes nothing, so this may be done by many at once. */
export const addJob = async <Kind extends JobKind>(
  queue: Queue,
  kind: Kind,
  id: string,
  payload: PayloadOf[Kind],
): Promise<void> => {
  await queue.add(kind, payload, { jobId: id, ...JOB_OPTIONS })
}

/** Puts a new job in the place of one that has ended, or was cancelled before it began. */
export const replaceJob = async <Kind extends JobKind>(
  queue: Queue,
  kind: Kind,
  id: string,
  payload: PayloadOf[Kind],
): Promise<void> => {
  await queue.remove(id)
  await addJob(queue, kind, id, payload)
}

/** A cancelled job that is active ends within this: its worker looks every second, and stops in five. */
const ENDING_MS = 10_000
const POLL_MS = 100

/** Waits for a cancelled job to let go; one that waits is removed at once. */
const awaitEnd = async (queue: Queue, id: string): Promise<void> => {
  const deadline = performance.now() + ENDING_MS
  while (performance.now() < deadline) {
    // Refused while a worker holds it.
    if ((await queue.remove(id)) === 1) return
    if ((await lookAt(queue, id)).existing !== 'cancelling') return
    await sleep(POLL_MS)
  }
}

/** Makes sure that the work is enqueued; ended jobs are replaced. */
export const ensureJob = async <Kind extends JobKind>(
  queue: Queue,
  kind: Kind,
  id: string,
  payload: PayloadOf[Kind],
): Promise<void> => {
  const { existing } = await lookAt(queue, id)
  if (existing === 'unfinished') return
  if (existing === 'cancelling') await awaitEnd(queue, id)
  if (existing === 'none') await addJob(queue, kind, id, payload)
  else await replaceJob(queue, kind, id, payload)
}
