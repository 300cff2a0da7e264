// Owns how a job of BullMQ looks to people and programs: nothing of BullMQ's leaves this folder.
import type { Job } from 'bullmq'
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import { fromFailedReason } from './failure.js'
import { kindOfJobId } from './jobs.js'
import { type JobState, type JobView, jobProgressSchema, jobResultSchema } from './types.js'

const dataSchema = z.object({
  datasetId: z.string().optional(),
  cancelled: z.boolean().optional(),
  cancelledAtMs: z.number().optional(),
})

const timeOf = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString()

/**
 * Between two looks a job waits in BullMQ's delayed set; to everybody else it is under way. One that was
 * cancelled there is cancelled from then on, though a worker takes it up once more to end it.
 */
const stateOf = (state: string, job: Job, data: z.output<typeof dataSchema>): JobState => {
  if (state === 'completed') return 'completed'
  if (state === 'failed') {
    const { code } = fromFailedReason(job.failedReason ?? '')
    return code === 'JOB_CANCELLED' ? 'cancelled' : 'failed'
  }
  const { cancelled = false, cancelledAtMs = Number.POSITIVE_INFINITY } = data
  if (state === 'active')
    return cancelled && (job.processedOn ?? 0) >= cancelledAtMs ? 'cancelled' : 'active'
  if (cancelled) return 'cancelled'
  const looksAgain = job.name !== 'shard' || job.attemptsMade === 0
  const hasBegun = typeof job.progress === 'object' && looksAgain
  return hasBegun ? 'active' : 'waiting'
}

/** @param state as BullMQ says. */
export const viewOf = (job: Job, state: string): JobView => {
  const id = job.id ?? ''
  const kind = kindOfJobId(id)
  if (kind === null) throw new HeadstartError('INTERNAL', `${id} is no job of this software`)
  const parsed = dataSchema.safeParse(job.data)
  const data = parsed.success ? parsed.data : {}
  const progress = jobProgressSchema.safeParse(job.progress)
  const result = jobResultSchema.safeParse(job.returnvalue)
  const failure = job.failedReason ? fromFailedReason(job.failedReason) : null
  const shown = stateOf(state, job, data)
  return {
    id,
    kind,
    state: shown,
    createdAt: new Date(job.timestamp).toISOString(),
    startedAt: timeOf(job.processedOn),
    finishedAt: timeOf(job.finishedOn),
    // BullMQ counts the try that ended well, and the one that was cancelled, too.
    failedAttempts:
      shown === 'completed' || shown === 'cancelled'
        ? Math.max(0, job.attemptsMade - 1)
        : job.attemptsMade,
    datasetId: data.datasetId ?? null,
    progress: progress.success ? progress.data : null,
    result: shown === 'completed' && result.success ? result.data : null,
    error:
      failure === null || shown === 'completed'
        ? null
        : {
            code: failure.code,
            message: failure.message,
            details: [...failure.details],
            remedy: failure.remedy,
          },
  }
}
