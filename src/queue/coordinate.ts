// Owns the coordinator of an extraction: a reconciler. Each pass looks at the store and at the queue,
// enqueues what both lack, and goes; nothing is remembered between passes but what was reported. So it
// may die, run twice or be forgotten at any time.
import { openContent } from '../dataset/open-content.js'
import { assertNotAborted, isHeadstartError, messageOf } from '../errors.js'
import { type Certified, certifyExisting, findComplete } from '../extract/certify.js'
import type { PlannedShard } from '../extract/column.js'
import { featureSetOf } from '../extract/plan.js'
import { listShards, type StoredShard } from '../extract/reuse.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import { type FeatureSet, saveFeatureSet } from '../features/feature-set.js'
import { featureSetIdOf } from '../identity/ids.js'
import { cancelShards } from './cancel.js'
import { type ActiveJob, type Handler, LookAgain } from './consume.js'
import { GivenUp } from './failure.js'
import {
  EXTRACTION_QUEUE,
  extractionPayloadSchema,
  extractorsOf,
  shardJobId,
  shardQueueName,
} from './jobs.js'
import { createPlanCache, type LoadPlan } from './plan-cache.js'
import {
  type Context,
  type Extraction,
  enqueueShard,
  ownShardsOf,
  type Pass,
  pursueShard,
} from './pursue-shard.js'
import { type ExtractionJobResult, extractionProgressSchema, shardResultSchema } from './types.js'

/** Shards of one extraction that are enqueued at a time: a pass looks at each of them. */
const WINDOW = 1000
/** Shards that are read and hashed in one pass: half a gigabyte. */
const CERTIFIED_A_PASS = 50
/** A young extraction is looked at often, an old one every other second. */
const LOOK_AGAIN_MS = { least: 200, most: 2000, shareOfAge: 0.05 }
/** A store or a queue that is away: the extraction waits for it. */
const UNAVAILABLE_DELAY_MS = 5000

/** What other extractions that compute this extractor, too, have under way. */
const findRivalPlans = async (
  { backend }: Context,
  { job }: Extraction,
  load: LoadPlan,
): Promise<readonly (readonly PlannedShard[])[]> => {
  const jobs = await backend.queue(EXTRACTION_QUEUE).getJobs(['waiting', 'active', 'delayed'])
  const plans: (readonly PlannedShard[])[] = []
  for (const other of jobs) {
    const parsed = extractionPayloadSchema.safeParse(other?.data)
    if (!parsed.success || other?.id === job.id) continue
    const extractorIds = extractorsOf(parsed.data)
    if (!extractorIds.includes(job.payload.extractorId)) continue
    // A dataset that cannot be read stops its own extraction, not this one.
    const plan = await load(extractorIds, parsed.data.datasetId).catch(() => null)
    if (plan !== null) plans.push(plan.segments)
  }
  return plans
}

/** What this process has certified of each extraction that is not complete. */
type Certifying = Map<string, Map<string, Certified>>

/**
 * Reads shards that were not read yet, a bounded number in one pass: others wait for their look.
 *
 * @returns null while there are more, or when one was damaged: it is removed by then.
 */
const certifySome = async (
  { workspace, onNotice }: Context,
  { job, planned, spec, dataset }: Extraction,
  certifying: Certifying,
): Promise<FeatureSet | null> => {
  const certified = certifying.get(job.id) ?? new Map<string, Certified>()
  certifying.set(job.id, certified)
  const unread = planned.filter(({ storeKey }) => !certified.has(storeKey))
  for (const { storeKey } of unread.slice(0, CERTIFIED_A_PASS)) {
    assertNotAborted(job.signal)
    const shard = await certifyExisting({ store: workspace.store, onNotice }, storeKey)
    if (shard === null) return null
    certified.set(storeKey, shard)
  }
  if (certified.size < planned.length) return null
  certifying.delete(job.id)
  const shards = planned.flatMap(({ storeKey }) => certified.get(storeKey) ?? [])
  return featureSetOf(spec, dataset.contentId, shards)
}

/**
 * Forward passes that were made for this extraction, by what its shard jobs say. A pass that it shares
 * counts in the extraction that enqueued it.
 */
const countComputed = async ({ backend }: Context, extraction: Extraction): Promise<number> => {
  const { job, spec, segments } = extraction
  const queue = backend.queue(shardQueueName(spec.engine))
  let computed = 0
  for (const { storeKey } of segments) {
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
  // Only a hint: a server may refuse to list its clients.
  const workers = await backend.countWorkers(shardQueueName(spec.engine)).catch(() => 1)
  return workers > 0 ? null : `a worker with the engine ${spec.engine}: headstart worker extract`
}

/** Everything there is to know before the queue is looked at. */
const open = async (job: ActiveJob<'extraction'>, load: LoadPlan): Promise<Extraction> => {
  const { extractorId, datasetId } = job.payload
  const extractorIds = extractorsOf(job.payload)
  const own = extractorIds.indexOf(extractorId)
  const reported = extractionProgressSchema.safeParse(job.progress)
  const before = reported.success ? reported.data : null
  const { specs, dataset, planned, segments } = await load(extractorIds, datasetId)
  const spec = specs[own] as ExtractorSpec
  return { job, before, spec, dataset, planned: planned[own] ?? [], segments, own }
}

const resultOf = (
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

/** The first look: it may all be there. @throws DATASET_UNREACHABLE before any work is planned. */
const lookFirst = async (
  { workspace, onNotice }: Context,
  { job, dataset }: Extraction,
): Promise<FeatureSet | null> => {
  const { store, objects } = workspace
  const id = featureSetIdOf(job.payload.extractorId, dataset.contentId)
  const deep = store.url.startsWith('file:')
  const complete = await findComplete({ store, onNotice }, id, deep)
  if (complete !== null) return complete
  const reader = await openContent({ store, objects, dataset, from: job.payload.content })
  await reader.close()
  return null
}

/** Enqueues what is missing. */
const pursueMissing = async (
  context: Context,
  extraction: Extraction,
  load: LoadPlan,
): Promise<Pass> => {
  const { job, planned, segments } = extraction
  const { store } = context.workspace
  const stored = await listShards(store, job.payload.extractorId)
  const storedKeys = new Set(stored.map(({ key }) => key))
  const there = planned.filter(({ storeKey }) => storedKeys.has(storeKey))
  const pass: Pass = {
    shards: { done: there.length, failed: 0, inFlight: 0 },
    done: there.reduce((sum, { keys }) => sum + keys.length, 0),
    missing: [],
    failure: null,
  }
  if (there.length === planned.length) return pass
  const rivalPlans = await findRivalPlans(context, extraction, load)
  for (const segment of segments) {
    const missing = ownShardsOf(extraction, segment).filter((one) => !storedKeys.has(one.storeKey))
    if (missing.length === 0) continue
    assertNotAborted(job.signal)
    if (pass.shards.inFlight >= WINDOW) break
    await pursueShard(context, extraction, { segment, missing }, pass, rivalPlans)
  }
  if (pass.missing.length === 0) return pass
  const storedNow: StoredShard[][] = []
  for (const extractorId of extractorsOf(job.payload))
    storedNow.push(await listShards(store, extractorId))
  for (const one of pass.missing) await enqueueShard(context, extraction, one, storedNow)
  return pass
}

/** One look at an extraction. @throws LookAgain until it is complete. */
const passOnce = async (
  context: Context,
  job: ActiveJob<'extraction'>,
  load: LoadPlan,
  certifying: Certifying,
): Promise<ExtractionJobResult> => {
  const extraction = await open(job, load)
  const { planned, dataset, before } = extraction
  if (before === null) {
    const complete = await lookFirst(context, extraction)
    if (complete !== null) return resultOf(extraction, complete, 0)
  }
  const pass = await pursueMissing(context, extraction, load)
  const all = pass.shards.done === planned.length
  // Asks for each shard's job: for a very large dataset only once.
  const isCounted = all || planned.length <= WINDOW
  const computed = isCounted ? await countComputed(context, extraction) : (before?.computed ?? 0)
  await job.report({
    kind: 'extraction',
    phase: all ? 'certifying' : 'computing',
    total: dataset.samples.length,
    done: pass.done,
    computed,
    shards: { total: planned.length, done: pass.shards.done, failed: pass.shards.failed },
    waitingFor: await waitingFor(context, extraction, pass),
  })
  const featureSet = all ? await certifySome(context, extraction, certifying) : null
  if (featureSet !== null) {
    await saveFeatureSet(context.workspace.store, featureSet)
    return resultOf(extraction, featureSet, computed)
  }
  // The neighbours of a shard that was given up have finished by now.
  if (pass.failure !== null && pass.shards.inFlight === 0) throw new GivenUp(pass.failure)
  const { least, most, shareOfAge } = LOOK_AGAIN_MS
  throw new LookAgain(Math.min(most, Math.max(least, shareOfAge * job.ageMs)))
}

const MAY_COME_BACK = ['STORE_UNAVAILABLE', 'QUEUE_UNAVAILABLE'] as const

/** @returns the handler of extraction jobs. */
export const createCoordinator = (context: Context): Handler<'extraction'> => {
  const load = createPlanCache(context.workspace.store)
  const certifying: Certifying = new Map()
  return {
    kind: 'extraction',
    concurrency: 1,
    // A pass that was under way when it was cancelled may have enqueued more.
    onCancelled: (id) => cancelShards(context.backend, id),
    run: async (job) => {
      // One pass at a time over all workers: two at once could enqueue the same samples twice. The
      // setting is lost with the queue's memory, so it is made again. An embedded queue has one process.
      if (context.backend.kind === 'redis')
        await context.backend.queue(EXTRACTION_QUEUE).setGlobalConcurrency(1)
      try {
        return await passOnce(context, job, load, certifying)
      } catch (error) {
        if (!MAY_COME_BACK.some((code) => isHeadstartError(error, code))) throw error
        const before = extractionProgressSchema.safeParse(job.progress)
        if (before.success) await job.report({ ...before.data, waitingFor: messageOf(error) })
        throw new LookAgain(UNAVAILABLE_DELAY_MS)
      }
    },
  }
}
