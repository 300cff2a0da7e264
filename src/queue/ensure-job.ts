// Owns adding a job once: whoever asks for the same work shares the job that exists. One that ended
// without what is asked for makes room for a new one.
import type { Job, Queue } from 'bullmq'
import { isHeadstartError } from '../errors.js'
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

export const wasCancelled = (job: Job): boolean =>
  isHeadstartError(fromFailedReason(job.failedReason ?? ''), 'JOB_CANCELLED')

/** Adding an id that exists changes nothing, so this may be done by many at once. */
export const addJob = async <Kind extends JobKind>(
  queue: Queue,
  kind: Kind,
  id: string,
  payload: PayloadOf[Kind],
): Promise<void> => {
  await queue.add(kind, payload, { jobId: id, ...JOB_OPTIONS[kind] })
}

/** Puts a new job in the place of one that has ended, or was cancelled before it began. */
export const replaceJob = async <Kind extends JobKind>(
  queue: Queue,
  kind: Kind,
  id: string,
  payload: PayloadOf[Kind],
): Promise<void> => {
  // Refused while it is active: then it is somebody's new one already.
  await queue.remove(id).catch(() => undefined)
  await addJob(queue, kind, id, payload)
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
  if (existing === 'none') await addJob(queue, kind, id, payload)
  else await replaceJob(queue, kind, id, payload)
}
