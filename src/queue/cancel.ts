// Owns cancelling: the job is marked, and whoever works on it notices. Shards that an extraction asked
// for first go with it.
import type { Job } from 'bullmq'
import { lookAt } from './ensure-job.js'
import { queueNamesOf, shardPayloadSchema } from './jobs.js'
import type { QueueBackend } from './port.js'

/** Marks a job; a delayed one is called so that its worker sees it at once. */
const mark = async (job: Job): Promise<void> => {
  await job.updateData({ cancelledAtMs: Date.now(), ...job.data, cancelled: true })
  await job.promote().catch(() => undefined)
}

/** Cancels shards that this extraction asked for first; another one that needs them asks again. */
export const cancelShards = async (backend: QueueBackend, extraction: string): Promise<void> => {
  for (const name of queueNamesOf('shard')) {
    const jobs = await backend.queue(name).getJobs(['waiting', 'active', 'delayed'])
    for (const job of jobs) {
      const parsed = shardPayloadSchema.safeParse(job?.data)
      if (parsed.success && parsed.data.extraction === extraction) await mark(job)
    }
  }
}

/** Marks a job of this queue, where it has not ended. @returns whether the queue knows it. */
export const cancelIn = async (
  backend: QueueBackend,
  queueName: string,
  id: string,
): Promise<boolean> => {
  const { existing, job } = await lookAt(backend.queue(queueName), id)
  if (job === null) return false
  if (existing !== 'unfinished' && existing !== 'cancelling') return true
  await mark(job)
  if (job.name === 'extraction') await cancelShards(backend, id)
  return true
}
