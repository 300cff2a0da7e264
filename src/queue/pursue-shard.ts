// Owns the look at one shard that the store lacks: who works on it, and enqueueing it where nobody does.
// First all shards are looked at, then the store is listed, then jobs are added: what a rival finished
// before it was looked at is in that listing, and nobody else adds jobs meanwhile.
import type { Dataset } from '../dataset/types.js'
import type { HeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import type { StoredShard } from '../extract/reuse.js'
import type { PlannedShard } from '../extract/shards.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { ActiveJob } from './consume.js'
import { addJob, isOurFailure, lookAt, replaceJob } from './ensure-job.js'
import { fromFailedReason } from './failure.js'
import { PAYLOAD_VERSION, type ShardPayload, shardJobId, shardQueueName } from './jobs.js'
import type { QueueBackend } from './port.js'
import { rivalsOf } from './rivals.js'
import { type ExtractionJobProgress, shardProgressSchema } from './types.js'

/** Older shards that a new one may copy rows from; more are never read. */
const MAX_OVERLAPPING = 16

export interface Context {
  readonly backend: QueueBackend
  readonly workspace: Workspace
  readonly onNotice: (message: string) => void
}

export interface Extraction {
  readonly job: ActiveJob<'extraction'>
  readonly spec: ExtractorSpec
  readonly dataset: Dataset
  readonly planned: readonly PlannedShard[]
  readonly before: ExtractionJobProgress | null
}

/** A shard to enqueue, and how: an ended job makes room for the new one. */
export interface MissingShard {
  readonly shard: PlannedShard
  readonly add: typeof addJob
}

/** What a pass has seen so far. */
export interface Pass {
  readonly shards: { done: number; failed: number; inFlight: number }
  done: number
  /** What nobody works on. */
  readonly missing: MissingShard[]
  /** Of the first shard that was given up. */
  failure: HeadstartError | null
}

const overlappingOf = (
  { keys }: PlannedShard,
  stored: readonly StoredShard[],
): readonly string[] => {
  const [first, last] = [keys.at(0) ?? '', keys.at(-1) ?? '']
  return stored
    .filter((shard) => shard.first <= last && shard.last >= first)
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, MAX_OVERLAPPING)
    .map(({ key }) => key)
}

/** Whether another extraction is computing samples of this shard now. */
const isTaken = async (
  { backend }: Context,
  { spec }: Extraction,
  shard: PlannedShard,
  rivalPlans: readonly (readonly PlannedShard[])[],
): Promise<boolean> => {
  const queue = backend.queue(shardQueueName(spec.engine))
  for (const plan of rivalPlans)
    for (const rival of rivalsOf(shard, plan)) {
      const { existing } = await lookAt(queue, shardJobId(rival.storeKey))
      if (existing === 'unfinished' || existing === 'cancelling') return true
    }
  return false
}

/** Enqueues a shard whose rows may be copied from what the store holds by now. */
export const enqueueShard = async (
  { backend }: Context,
  { job, spec }: Extraction,
  { shard, add }: MissingShard,
  stored: readonly StoredShard[],
): Promise<void> => {
  const { extractorId, datasetId, content } = job.payload
  const payload: ShardPayload = {
    version: PAYLOAD_VERSION,
    extraction: job.id,
    extractorId,
    datasetId,
    content,
    storeKey: shard.storeKey,
    rows: shard.keys.length,
    overlapping: [...overlappingOf(shard, stored)],
  }
  await add(
    backend.queue(shardQueueName(spec.engine)),
    'shard',
    shardJobId(shard.storeKey),
    payload,
  )
}

/** Looks at one shard that the listing did not show. */
export const pursueShard = async (
  context: Context,
  extraction: Extraction,
  shard: PlannedShard,
  pass: Pass,
  rivalPlans: readonly (readonly PlannedShard[])[],
): Promise<void> => {
  const { job, spec } = extraction
  const queue = context.backend.queue(shardQueueName(spec.engine))
  const { existing, job: shardJob } = await lookAt(queue, shardJobId(shard.storeKey))
  const enqueue = async (add: typeof addJob): Promise<void> => {
    pass.shards.inFlight += 1
    if (!(await isTaken(context, extraction, shard, rivalPlans))) pass.missing.push({ shard, add })
  }
  if (existing === 'none') return enqueue(addJob)
  if (existing === 'unfinished' || existing === 'cancelling') {
    pass.shards.inFlight += 1
    const progress = shardProgressSchema.safeParse(shardJob?.progress)
    if (progress.success) pass.done += Math.min(progress.data.done, shard.keys.length)
    return
  }
  if (existing === 'completed') {
    // It may have been committed after the listing; or its object was removed since.
    if ((await context.workspace.store.head(shard.storeKey)) === null) return enqueue(replaceJob)
    pass.shards.done += 1
    pass.done += shard.keys.length
    return
  }
  if (shardJob === null || !isOurFailure(shardJob, job)) return enqueue(replaceJob)
  pass.shards.failed += 1
  pass.failure ??= fromFailedReason(shardJob.failedReason ?? '')
}
