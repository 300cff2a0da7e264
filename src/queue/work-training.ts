// Owns the training job: it waits for its features without holding a slot, asks for them when nobody
// does, and trains in a stage process.
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import { isHeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import { loadCertificate } from '../extract/certify.js'
import { featureSetKey } from '../features/feature-set.js'
import type { Sha256 } from '../identity/hash.js'
import { featureSetIdOf } from '../identity/ids.js'
import { besideOf } from './beside.js'
import { type ActiveJob, type Handler, LookAgain } from './consume.js'
import { addJob, isOurFailure, lookAt, replaceJob } from './ensure-job.js'
import { fromFailedReason, GivenUp } from './failure.js'
import {
  EXTRACTION_QUEUE,
  type ExtractionPayload,
  extractionJobId,
  PAYLOAD_VERSION,
} from './jobs.js'
import { keepLast } from './keep-last.js'
import { loadExtractorSpec } from './load-extractor.js'
import type { QueueBackend } from './port.js'
import type { Slots } from './slots.js'
import { throttleReports } from './throttle-reports.js'

/** Between looks at an extraction that is under way. */
const LOOK_AGAIN_MS = 1000

interface Context {
  readonly backend: QueueBackend
  readonly workspace: Workspace
  readonly slots: Slots
}

/** Asks for the features of one view. @throws the failure of their extraction. */
const pursue = async (
  { backend, workspace }: Context,
  job: ActiveJob<'training'>,
  { extractorId, beside }: Pick<ExtractionPayload, 'extractorId' | 'beside'>,
  featureSetId: Sha256,
): Promise<void> => {
  const queue = backend.queue(EXTRACTION_QUEUE)
  const id = extractionJobId(featureSetId)
  const { datasetId, content } = job.payload
  const version = PAYLOAD_VERSION
  const payload: ExtractionPayload = { version, extractorId, beside, datasetId, content }
  const { existing, job: extraction } = await lookAt(queue, id)
  if (existing === 'none') return addJob(queue, 'extraction', id, payload)
  if (existing === 'completed') {
    // It may have ended between the look at the store and the look at the queue.
    if ((await loadCertificate(workspace, featureSetId)) !== null) return
    return replaceJob(queue, 'extraction', id, payload)
  }
  if (existing !== 'failed' || extraction === null) return
  const failure = fromFailedReason(extraction.failedReason ?? '')
  const isCancelled = failure.code === 'JOB_CANCELLED'
  // Who cancels an extraction means the trainings that wait for it, too.
  if (isCancelled || isOurFailure(extraction, job)) throw new GivenUp(failure)
  await replaceJob(queue, 'extraction', id, payload)
}

/** @throws LookAgain while features are missing. */
const assertExtracted = async (
  context: Context,
  job: ActiveJob<'training'>,
  load: (id: Sha256) => Promise<Dataset>,
): Promise<void> => {
  const { store } = context.workspace
  const { datasetId, cuts, candidates } = job.payload
  const { contentId } = await load(datasetId)
  const missing: { readonly extractorId: Sha256; readonly featureSetId: Sha256 }[] = []
  const extractorIds = [...new Set(cuts.flatMap((one) => one.extractorIds))]
  for (const extractorId of extractorIds) {
    const featureSetId = featureSetIdOf(extractorId, contentId)
    if ((await loadCertificate({ store }, featureSetId)) === null)
      missing.push({ extractorId, featureSetId })
  }
  if (missing.length === 0) return
  const beside = besideOf(await Promise.all(extractorIds.map((id) => loadExtractorSpec(store, id))))
  for (const { extractorId, featureSetId } of missing)
    await pursue(context, job, { extractorId, beside: beside(extractorId) }, featureSetId)
  await job.report({
    kind: 'training',
    phase: 'extracting',
    head: 0,
    heads: candidates.length,
    epoch: 0,
    epochs: 0,
    loss: null,
    score: null,
  })
  throw new LookAgain(LOOK_AGAIN_MS)
}

/** Damaged shards go, and the certificate that named them: the next look extracts them again. */
const discard = async (
  { workspace: { store } }: Context,
  { payload }: ActiveJob<'training'>,
  damaged: readonly string[],
  load: (id: Sha256) => Promise<Dataset>,
): Promise<void> => {
  const { contentId } = await load(payload.datasetId)
  for (const key of damaged) await store.delete(key)
  for (const extractorId of payload.cuts.flatMap((one) => one.extractorIds))
    await store.delete(featureSetKey(featureSetIdOf(extractorId, contentId)))
}

/** @returns the handler of training jobs. */
export const createTrainingHandler = (context: Context): Handler<'training'> => {
  const load = keepLast((id) => loadDataset(context.workspace.store, id))
  return {
    kind: 'training',
    concurrency: context.slots.count,
    run: async (job) => {
      await assertExtracted(context, job, load)
      const onProgress = throttleReports(job.report)
      try {
        return await context.slots.use((stage) =>
          stage.run({ kind: 'training', payload: job.payload }, { signal: job.signal, onProgress }),
        )
      } catch (error) {
        if (!isHeadstartError(error, 'FEATURES_CORRUPT')) throw error
        await discard(context, job, error.details, load)
        throw new LookAgain(0)
      }
    },
  }
}
