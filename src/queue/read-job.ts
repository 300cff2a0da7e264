// Owns reading a job together with its state. They are two questions: a job that ends or is replaced
// between them would seem to have ended without a result.
import type { Job, Queue } from 'bullmq'

/** A job that changes this often while it is looked at is shown as it was seen last. */
const MAX_LOOKS = 5

export interface SeenJob {
  readonly job: Job
  /** As BullMQ says. */
  readonly state: string
}

const isEnded = (state: string): boolean => state === 'completed' || state === 'failed'

/** @returns null when the queue does not know the job. */
export const readJob = async (queue: Queue, id: string): Promise<SeenJob | null> => {
  let before: string | undefined
  for (let look = 1; ; look += 1) {
    const job = (await queue.getJob(id)) as Job | undefined
    if (job === undefined) return null
    const state = await queue.getJobState(id)
    const agrees = isEnded(state) === (typeof job.finishedOn === 'number')
    // Whether it was taken up only to end is told by its data, which may be from before that.
    const isCancelled = (job.data as { cancelled?: boolean }).cancelled === true
    const isFresh = !isCancelled || state !== 'active' || before === 'active'
    if ((agrees && isFresh) || look === MAX_LOOKS) return { job, state }
    before = state
  }
}
