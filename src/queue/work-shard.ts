// Owns the shard job: one try in a stage process; after a process died on it, the search for the
// sample that is to blame.
import { HeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import type { ActiveJob, Handler } from './consume.js'
import { EXTRACTION_QUEUE } from './jobs.js'
import { createPlanCache } from './plan-cache.js'
import { findPoison, poisonError } from './poison.js'
import type { QueueBackend } from './port.js'
import type { Slots } from './slots.js'
import type { SampleRange, ShardTask } from './stage-protocol.js'
import { StageDied, type StageProcess } from './supervisor.js'
import { throttleReports } from './throttle-reports.js'
import type { ShardJobResult } from './types.js'

interface Context {
  readonly backend: QueueBackend
  readonly workspace: Workspace
  readonly slots: Slots
  readonly onNotice: (message: string) => void
}

const runTask = (
  stage: StageProcess,
  job: ActiveJob<'shard'>,
  only: SampleRange | null,
): Promise<ShardJobResult> => {
  const isRetry = job.wasBegun
  const task: ShardTask = { kind: 'shard', payload: job.payload, isRetry, only }
  const onProgress = throttleReports(job.report)
  return stage.run(task, {
    signal: job.signal,
    onProgress: (progress) => {
      // The progress of a part would run backwards.
      if (only === null) onProgress(progress)
    },
  })
}

/** Names of samples, by their position in the shard. */
const nameSamples = async (
  { workspace }: Context,
  { payload }: ActiveJob<'shard'>,
  positions: readonly number[],
): Promise<readonly string[]> => {
  const load = createPlanCache(workspace.store)
  const { dataset, segments } = await load(payload.extractorIds, payload.datasetId)
  const shard = segments.find(({ storeKey }) => storeKey === payload.storeKey)
  return positions.map((position) => {
    const key = shard?.keys[position]
    const sample = dataset.samples.find((one) => one.key === key)
    return `${sample?.names[0] ?? 'a sample'} (${key})`
  })
}

/** Runs a shard on which a process died before; halves it where one dies again. */
const runWary = async (
  context: Context,
  stage: StageProcess,
  job: ActiveJob<'shard'>,
): Promise<ShardJobResult> => {
  const whole = { from: 0, to: job.payload.rows }
  let result: ShardJobResult | undefined
  const poison = await findPoison(whole, async (range) => {
    const isWhole = range.to - range.from === job.payload.rows
    const partial = await runTask(stage, job, isWhole ? null : range)
    if (isWhole) result = partial
  })
  if (poison.length > 0) throw poisonError(await nameSamples(context, job, poison))
  // No half died: everything is computed by now, and this only joins it.
  return result ?? (await runTask(stage, job, null))
}

/** Lets the coordinator look at once when no other shard waits. */
const wakeCoordinator = async (
  { backend }: Context,
  queueName: string,
  { payload }: ActiveJob<'shard'>,
): Promise<void> => {
  if ((await backend.queue(queueName).getJobCountByTypes('waiting')) > 0) return
  const extraction = await backend.queue(EXTRACTION_QUEUE).getJob(payload.extraction)
  await extraction?.promote()
}

/** @returns the handler of shard jobs of one queue. */
export const createShardHandler = (context: Context, queueName: string): Handler<'shard'> => ({
  kind: 'shard',
  concurrency: context.slots.count,
  run: (job) =>
    context.slots.use(async (stage) => {
      try {
        const result =
          job.failedAttempts === 0
            ? await runTask(stage, job, null)
            : await runWary(context, stage, job)
        // Not awaited: the coordinator looks by itself soon, this only saves the wait.
        setTimeout(() => {
          wakeCoordinator(context, queueName, job).catch(() => undefined)
        }, 50)
        return result
      } catch (error) {
        if (error instanceof StageDied) {
          context.onNotice(`${job.id}: ${error.message}; it is tried again in a new process`)
          throw new HeadstartError('ENGINE_FAILED', error.message, { cause: error })
        }
        throw error
      }
    }),
})
