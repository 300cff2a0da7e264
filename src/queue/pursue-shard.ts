// Owns the look at what the store lacks, segment by segment: who works on it, and enqueueing it where nobody does.
// First all shards are looked at, then the store is listed, then jobs are added: what a rival finished
// before it was looked at is in that listing, and nobody else adds jobs meanwhile.
import type { Dataset } from '../dataset/types.js'
import type { HeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import type { PlannedShard } from '../extract/column.js'
import type { StoredShard } from '../extract/reuse.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { ActiveJob } from './consume.js'
import { addJob, isOurFailure, lookAt, replaceJob } from './ensure-job.js'
import { fromFailedReason } from './failure.js'
import {
  extractorsOf,
  PAYLOAD_VERSION,
  type ShardPayload,
  shardJobId,
  shardQueueName,
} from './jobs.js'
import type { QueueBackend } from './port.js'
import { rivalsOf } from './rivals.js'
import type { Segment } from './segments.js'
import { type ExtractionJobProgress, shardProgressSchema } from './types.js'

/** Older shards that a new one may copy rows from; more are never read. */
const MAX_OVERLAPPING = 16
/** Of a segment of many shards, so that a job stays small; its worker looks by itself where there are more. */
const MAX_NAMED = 256

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
  /** Of all extractors that share the forward pass. */
  readonly segments: readonly Segment[]
  /** Position of this extraction's own extractor in the lists of a segment. */
  readonly own: number
  readonly before: ExtractionJobProgress | null
}

/** A segment to enqueue, and how: an ended job makes room for the new one. */
export interface MissingShard {
  readonly segment: Segment
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

/** @param stored by extractor, in the order of the segment. @returns null: too many to name. */
const namedFor = (
  { shards }: Segment,
  stored: readonly (readonly StoredShard[])[],
): string[] | null => {
  const named = new Set(
    shards.flatMap((list, i) => list.flatMap((shard) => overlappingOf(shard, stored[i] ?? []))),
  )
  return named.size > MAX_NAMED ? null : [...named]
}

/** Those of this extraction's own extractor. */
export const ownShardsOf = ({ own }: Extraction, { shards }: Segment): readonly PlannedShard[] =>
  shards[own] ?? []

/** Whether another extraction is computing samples of this segment now. */
const isTaken = async (
  { backend }: Context,
  { spec }: Extraction,
  segment: Segment,
  rivalPlans: readonly (readonly PlannedShard[])[],
): Promise<boolean> => {
  const queue = backend.queue(shardQueueName(spec.engine))
  for (const plan of rivalPlans)
    for (const rival of rivalsOf(segment, plan)) {
      const { existing } = await lookAt(queue, shardJobId(rival.storeKey))
      if (existing === 'unfinished' || existing === 'cancelling') return true
    }
  return false
}

/** Enqueues a segment whose rows may be copied from what the store holds by now, by extractor. */
export const enqueueShard = async (
  { backend }: Context,
  { job, spec }: Extraction,
  { segment, add }: MissingShard,
  stored: readonly (readonly StoredShard[])[],
): Promise<void> => {
  const { datasetId, content } = job.payload
  const payload: ShardPayload = {
    version: PAYLOAD_VERSION,
    extraction: job.id,
    extractorIds: [...extractorsOf(job.payload)],
    datasetId,
    content,
    storeKey: segment.storeKey,
    rows: segment.keys.length,
    overlapping: namedFor(segment, stored),
  }
  await add(
    backend.queue(shardQueueName(spec.engine)),
    'shard',
    shardJobId(segment.storeKey),
    payload,
  )
}

/** Looks at one segment of which the listing did not show all. @param missing its own that it lacks. */
export const pursueShard = async (
  context: Context,
  extraction: Extraction,
  { segment, missing }: { readonly segment: Segment; readonly missing: readonly PlannedShard[] },
  pass: Pass,
  rivalPlans: readonly (readonly PlannedShard[])[],
): Promise<void> => {
  const { job, spec } = extraction
  const queue = context.backend.queue(shardQueueName(spec.engine))
  const { existing, job: shardJob } = await lookAt(queue, shardJobId(segment.storeKey))
  const samples = missing.reduce((sum, { keys }) => sum + keys.length, 0)
  const enqueue = async (add: typeof addJob): Promise<void> => {
    pass.shards.inFlight += missing.length
    if (!(await isTaken(context, extraction, segment, rivalPlans)))
      pass.missing.push({ segment, add })
  }
  if (existing === 'none') return enqueue(addJob)
  if (existing === 'unfinished' || existing === 'cancelling') {
    pass.shards.inFlight += missing.length
    const progress = shardProgressSchema.safeParse(shardJob?.progress)
    if (progress.success) pass.done += Math.min(progress.data.done, samples)
    return
  }
  if (existing === 'completed') {
    // It may have been committed after the listing; or its object was removed since.
    for (const { storeKey } of missing)
      if ((await context.workspace.store.head(storeKey)) === null) return enqueue(replaceJob)
    pass.shards.done += missing.length
    pass.done += samples
    return
  }
  if (shardJob === null || !isOurFailure(shardJob, job)) return enqueue(replaceJob)
  pass.shards.failed += missing.length
  pass.failure ??= fromFailedReason(shardJob.failedReason ?? '')
}
