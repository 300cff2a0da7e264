// Waiting for points of a run: ten of them, from before the first shard to the last epochs.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job, Queue } from 'bullmq'
import { isHeadstartError } from '../../../src/errors.js'
import { queueNamesOf, shardQueueName } from '../../../src/queue/jobs.js'
import type { JobHandle, JobProgress, JobResult, JobView } from '../../../src/queue/types.js'
import type { Cluster, WorkerProcess } from '../../support/cluster.js'

/** Passes of the coordinator are further apart. */
const POLL_MS = 50
/** A pass itself is short. */
const POLL_ACTIVE_MS = 10

const nullWhileAway = (error: unknown): null => {
  if (isHeadstartError(error, 'QUEUE_UNAVAILABLE')) return null
  throw error
}

/** Looks at a job until it is as wanted, or has ended. */
export const untilJob = async (
  { service }: Cluster,
  id: string,
  holds: (job: JobView) => boolean,
): Promise<JobView> => {
  for (;;) {
    const job = await service.getJob(id).catch(nullWhileAway)
    if (job !== null && (holds(job) || job.finishedAt !== null)) return job
    await sleep(POLL_MS)
  }
}

type Reached = (progress: JobProgress | null) => boolean

export interface Point {
  readonly name: string
  readonly phase: 'extraction' | 'training'
  readonly reached: Reached
}

export const share = (part: number): Point => ({
  name: `when ${Math.round(part * 100)} % are computed`,
  phase: 'extraction',
  reached: (progress) => progress?.kind === 'extraction' && progress.done >= part * progress.total,
})

const epoch = (least: number): Point => ({
  name: `after epoch ${least} of the training`,
  phase: 'training',
  reached: (progress) => progress?.kind === 'training' && progress.epoch >= least,
})

export const POINTS: readonly Point[] = [
  { name: 'at the start', phase: 'extraction', reached: () => true },
  {
    name: 'before the first shard',
    phase: 'extraction',
    reached: (progress) => progress?.kind === 'extraction',
  },
  share(0.01),
  share(0.2),
  share(0.4),
  share(0.6),
  share(0.8),
  {
    name: 'when all shards are there',
    phase: 'extraction',
    reached: (progress) => progress?.kind === 'extraction' && progress.phase === 'certifying',
  },
  epoch(1),
  epoch(3),
]

/** Waits for a point of a run. */
export const untilPoint = async (
  cluster: Cluster,
  { ids: [id = ''] }: JobHandle<JobResult>,
  { reached }: Point,
): Promise<void> => {
  await untilJob(cluster, id, ({ progress }) => reached(progress))
}

/** Where the jobs are that processes of their own work on. */
export const queueOf = ({ backend }: Cluster, { phase }: Point): Queue => {
  const [training = ''] = queueNamesOf('training')
  return backend.queue(phase === 'training' ? training : shardQueueName('wasm'))
}

/** Jobs that somebody works on now, and since when. */
export const activeIn = async (queue: Queue): Promise<ReadonlyMap<string, number>> =>
  new Map((await queue.getJobs(['active'])).map((job) => [job.id ?? '', job.processedOn ?? 0]))

/** Waits until somebody works on a job of this queue. */
export const untilActive = async (queue: Queue): Promise<ReadonlyMap<string, number>> => {
  for (;;) {
    const active = await activeIn(queue)
    if (active.size > 0) return active
    await sleep(POLL_ACTIVE_MS)
  }
}

/** Waits until the worker has an engine process. */
export const untilChild = async (workers: readonly WorkerProcess[]): Promise<readonly number[]> => {
  for (;;) {
    const children = workers.flatMap((worker) => worker.children())
    if (children.length > 0) return children
    await sleep(POLL_MS)
  }
}

/** @returns milliseconds until each of these jobs was taken up again, or ended. */
export const untilTakenUp = async (
  queue: Queue,
  held: ReadonlyMap<string, number>,
): Promise<number> => {
  const started = performance.now()
  for (const [id, since] of held)
    for (;;) {
      const job = (await queue.getJob(id)) as Job | undefined
      if (job === undefined || job.finishedOn || (job.processedOn ?? 0) > since) break
      await sleep(POLL_MS)
    }
  return performance.now() - started
}

/** @returns milliseconds until the next job of this queue was taken up, or none is left. */
export const untilNext = async (queue: Queue): Promise<number> => {
  const now = Date.now()
  const started = performance.now()
  for (;;) {
    const all = await queue.getJobs(['active', 'waiting', 'delayed', 'completed'])
    const isNext = all.some((job) => (job?.processedOn ?? 0) > now)
    if (isNext || all.every((job) => job?.finishedOn)) return performance.now() - started
    await sleep(POLL_MS)
  }
}
