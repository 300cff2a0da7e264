// Owns the coordinator of an extraction: a reconciler. Each pass looks at the store and at the queue,
// enqueues what both lack, and goes; nothing is remembered between passes but what was reported. So it
// may die, run twice or be forgotten at any time.
import { openContent } from '../dataset/open-content.js'
import type { Dataset } from '../dataset/types.js'
import { type HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import { type Certified, certifyExisting, findComplete } from '../extract/certify.js'
import { featureSetOf, planExtraction } from '../extract/plan.js'
import { listShards, type StoredShard } from '../extract/reuse.js'
import type { PlannedShard } from '../extract/shards.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import { type FeatureSet, saveFeatureSet } from '../features/feature-set.js'
import { featureSetIdOf } from '../identity/ids.js'
import type { QueueBackend } from './backend.js'
import { type ActiveJob, type Handler, LookAgain } from './consume.js'
import { createDatasetCache } from './dataset-cache.js'
import { addJob, lookAt, replaceJob, wasCancelled } from './ensure-job.js'
import { fromFailedReason } from './failure.js'
import {
  extractionPayloadSchema,
  PAYLOAD_VERSION,
  queueNamesOf,
  type ShardPayload,
  shardJobId,
  shardQueueName,
} from './jobs.js'
import { loadExtractorSpec } from './load-extractor.js'
import { rivalsOf } from './rivals.js'
import {
  type ExtractionJobProgress,
  type ExtractionJobResult,
  extractionProgressSchema,
  shardProgressSchema,
  shardResultSchema,
} from './types.js'

/** Shards of one extraction that are enqueued at a time: a pass looks at each of them. */
const WINDOW = 1000
/** Older shards that a new one may copy rows from; more are never read. */
const MAX_OVERLAPPING = 16
/** A young extraction is looked at often, an old one every other second. */
const LOOK_AGAIN_MS = { least: 200, most: 2000, shareOfAge: 0.05 }
/** A store or a queue that is away: the extraction waits for it. */
const UNAVAILABLE_DELAY_MS = 5000

interface Context {
  readonly backend: QueueBackend
  readonly workspace: Workspace
  readonly onNotice: (message: string) => void
}

interface Extraction {
  readonly job: ActiveJob<'extraction'>
  readonly spec: ExtractorSpec
  readonly dataset: Dataset
  readonly planned: readonly PlannedShard[]
  readonly before: ExtractionJobProgress | null
}

interface Pass {
  readonly shards: { done: number; failed: number; inFlight: number }
  done: number
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

/** Plans of other extractions of the same extractor that are under way. */
const findRivalPlans = async (
  { backend }: Context,
  { job, spec }: Extraction,
  load: ReturnType<typeof createDatasetCache>,
): Promise<readonly (readonly PlannedShard[])[]> => {
  const [queueName = ''] = queueNamesOf('extraction')
  const jobs = await backend.queue(queueName).getJobs(['waiting', 'active', 'delayed'])
  const plans: (readonly PlannedShard[])[] = []
  for (const other of jobs) {
    const parsed = extractionPayloadSchema.safeParse(other?.data)
    if (!parsed.success || other?.id === job.id) continue
    const { extractorId, datasetId } = parsed.data
    if (extractorId !== job.payload.extractorId) continue
    // A dataset that cannot be read stops its own extraction, not this one.
    const dataset = await load(datasetId).catch(() => null)
    if (dataset === null) continue
    plans.push(
      planExtraction(
        spec,
        dataset.samples.map(({ key }) => key),
      ),
    )
  }
  return plans
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

/** Looks at one shard that the listing did not show; enqueues it where nobody works on it. */
const pursue = async (
  context: Context,
  extraction: Extraction,
  shard: PlannedShard,
  pass: Pass,
  found: {
    readonly stored: readonly StoredShard[]
    readonly rivalPlans: readonly (readonly PlannedShard[])[]
  },
): Promise<void> => {
  const { job, spec, before } = extraction
  const queue = context.backend.queue(shardQueueName(spec.engine))
  const id = shardJobId(shard.storeKey)
  const { existing, job: shardJob } = await lookAt(queue, id)
  const enqueue = async (add: typeof addJob): Promise<void> => {
    pass.shards.inFlight += 1
    if (await isTaken(context, extraction, shard, found.rivalPlans)) return
    const { extractorId, datasetId, content } = job.payload
    const payload: ShardPayload = {
      version: PAYLOAD_VERSION,
      extraction: job.id,
      extractorId,
      datasetId,
      content,
      storeKey: shard.storeKey,
      rows: shard.keys.length,
      overlapping: [...overlappingOf(shard, found.stored)],
    }
    await add(queue, 'shard', id, payload)
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
  // A failure of an earlier request, or a cancellation of somebody else's, is not this one's.
  if (before === null || (shardJob !== null && wasCancelled(shardJob))) return enqueue(replaceJob)
  pass.shards.failed += 1
  pass.failure ??= fromFailedReason(shardJob?.failedReason ?? '')
}

/** Reads every shard. @returns null when one was damaged: it is removed by then. */
const certifyAll = async (
  { workspace, onNotice }: Context,
  { planned, spec, dataset }: Extraction,
): Promise<FeatureSet | null> => {
  const certified: Certified[] = []
  for (const { storeKey } of planned) {
    const shard = await certifyExisting({ store: workspace.store, onNotice }, storeKey)
    if (shard === null) return null
    certified.push(shard)
  }
  return featureSetOf(spec, dataset.contentId, certified)
}

/** Forward passes that were made for this extraction, by what its shard jobs say. */
const countComputed = async ({ backend }: Context, extraction: Extraction): Promise<number> => {
  const { job, spec, planned } = extraction
  const queue = backend.queue(shardQueueName(spec.engine))
  let computed = 0
  for (const { storeKey } of planned) {
    const shardJob = await queue.getJob(shardJobId(storeKey))
    if (shardJob?.data.extraction !== job.id) continue
    if ((shardJob.finishedOn ?? 0) < Date.now() - job.ageMs) continue
    const result = shardResultSchema.safeParse(shardJob.returnvalue)
    if (result.success) computed += result.data.computed
  }
  return computed
}

const waitingFor = async (
  { backend }: Context,
  { spec }: Extraction,
  { shards }: Pass,
): Promise<string | null> => {
  if (shards.inFlight === 0) return null
  const workers = await backend.countWorkers(shardQueueName(spec.engine))
  return workers > 0 ? null : `a worker with the engine ${spec.engine}: headstart worker extract`
}

const createPass = (context: Context, load: ReturnType<typeof createDatasetCache>) => {
  const { workspace, onNotice } = context
  const { store } = workspace

  /** The content must be there before hours of work are planned on it. */
  const assertReachable = async ({ job, dataset }: Extraction): Promise<void> => {
    const { objects } = workspace
    const reader = await openContent({ store, objects, dataset, from: job.payload.content })
    await reader.close()
  }

  const finish = (
    { job, dataset }: Extraction,
    featureSet: FeatureSet,
    computed: number,
  ): ExtractionJobResult => ({
    kind: 'extraction',
    featureSetId: featureSet.featureSetId,
    extractorId: featureSet.extractorId,
    samples: dataset.samples.length,
    computed,
    reused: dataset.samples.length - computed,
    quarantined: featureSet.quarantine.length,
    seconds: job.ageMs / 1000,
  })

  return async (job: ActiveJob<'extraction'>): Promise<ExtractionJobResult> => {
    const { extractorId, datasetId } = job.payload
    const spec = await loadExtractorSpec(store, extractorId)
    const dataset = await load(datasetId)
    const planned = planExtraction(
      spec,
      dataset.samples.map(({ key }) => key),
    )
    const reported = extractionProgressSchema.safeParse(job.progress)
    const before = reported.success ? reported.data : null
    const extraction: Extraction = { job, spec, dataset, planned, before }
    if (before === null) {
      const id = featureSetIdOf(extractorId, dataset.contentId)
      const deep = store.url.startsWith('file:')
      const complete = await findComplete({ store, onNotice }, id, deep)
      if (complete !== null) return finish(extraction, complete, 0)
      await assertReachable(extraction)
    }

    const stored = await listShards(store, extractorId)
    const storedKeys = new Set(stored.map(({ key }) => key))
    const missing = planned.filter(({ storeKey }) => !storedKeys.has(storeKey))
    const pass: Pass = {
      shards: { done: planned.length - missing.length, failed: 0, inFlight: 0 },
      done: planned.reduce(
        (sum, { storeKey, keys }) => sum + (storedKeys.has(storeKey) ? keys.length : 0),
        0,
      ),
      failure: null,
    }
    const rivalPlans = missing.length === 0 ? [] : await findRivalPlans(context, extraction, load)
    for (const shard of missing) {
      if (pass.shards.inFlight >= WINDOW) break
      await pursue(context, extraction, shard, pass, { stored, rivalPlans })
    }
    const { shards, failure } = pass
    const all = shards.done === planned.length
    // Asks for each shard's job: for a very large dataset only once.
    const counted = all || planned.length <= WINDOW
    const progress = {
      kind: 'extraction',
      total: dataset.samples.length,
      done: pass.done,
      computed: counted ? await countComputed(context, extraction) : (before?.computed ?? 0),
      shards: { total: planned.length, done: shards.done, failed: shards.failed },
    } as const
    await job.report({
      ...progress,
      phase: all ? 'certifying' : 'computing',
      waitingFor: await waitingFor(context, extraction, pass),
    })
    if (all) {
      const featureSet = await certifyAll(context, extraction)
      if (featureSet !== null) {
        await saveFeatureSet(store, featureSet)
        return finish(extraction, featureSet, progress.computed)
      }
    }
    // The neighbours of a shard that was given up have finished by now.
    if (failure !== null && shards.inFlight === 0) throw failure
    const { least, most, shareOfAge } = LOOK_AGAIN_MS
    throw new LookAgain(Math.min(most, Math.max(least, shareOfAge * job.ageMs)))
  }
}

const MAY_COME_BACK = ['STORE_UNAVAILABLE', 'QUEUE_UNAVAILABLE'] as const

/** @returns the handler of extraction jobs. */
export const createCoordinator = (context: Context): Handler<'extraction'> => {
  const load = createDatasetCache(context.workspace.store)
  const pass = createPass(context, load)
  const [queueName = ''] = queueNamesOf('extraction')
  return {
    kind: 'extraction',
    concurrency: 1,
    run: async (job) => {
      // One pass at a time over all workers: two at once could enqueue the same samples twice. The
      // setting is lost with the queue's memory, so it is made again. An embedded queue has one process.
      if (context.backend.kind === 'redis')
        await context.backend.queue(queueName).setGlobalConcurrency(1)
      try {
        return await pass(job)
      } catch (error) {
        if (!MAY_COME_BACK.some((code) => isHeadstartError(error, code))) throw error
        const before = extractionProgressSchema.safeParse(job.progress)
        if (before.success) await job.report({ ...before.data, waitingFor: messageOf(error) })
        throw new LookAgain(UNAVAILABLE_DELAY_MS)
      }
    },
  }
}
