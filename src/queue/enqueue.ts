// Owns turning a request into jobs: what it names is resolved and saved first, so that a job holds ids
// only and any worker can take it.
import { resolveViews } from '../experiment/extraction.js'
import { assertHeadsFit } from '../experiment/heads-fit.js'
import { describeBaseSource, resolveBase, resolveDataset } from '../experiment/references.js'
import type { Experiment, ExtractionRequest } from '../experiment/schema.js'
import type { Workspace } from '../experiment/workspace.js'
import { saveExtractor } from '../extract/plan.js'
import { findCut } from '../extractor/resolve.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import type { JsonValue } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import { featureSetIdOf, runKeyOf } from '../identity/ids.js'
import { ensureJob } from './ensure-job.js'
import {
  EXTRACTION_QUEUE,
  extractionJobId,
  PAYLOAD_VERSION,
  TRAINING_QUEUE,
  type TrainingPayload,
  trainingJobId,
} from './jobs.js'
import type { QueueBackend } from './port.js'
import type { EnqueueOptions } from './types.js'

interface Context {
  readonly backend: QueueBackend
  readonly workspace: Workspace
}

/** What a request means: everything that its jobs need to be told. */
interface Resolved {
  readonly specs: readonly ExtractorSpec[]
  readonly datasetId: Sha256
  /** Where the content lies. */
  readonly content: string
  /** One a view. */
  readonly featureSetIds: readonly Sha256[]
}

const resolve = async (
  { workspace }: Context,
  request: ExtractionRequest,
  { folder, signal, events = {} }: EnqueueOptions,
  heads: Experiment['heads'],
): Promise<Resolved> => {
  const { store, hashCacheDir, objects } = workspace
  const base = await resolveBase(workspace, request.base.from, folder, signal)
  findCut(base, request.base.cut)
  const opened = await resolveDataset(store, {
    spec: request.dataset,
    split: request.split,
    folder,
    hashCacheDir,
    objects,
    signal,
    onProgress: events.onIndex,
  })
  try {
    for (const note of opened.dataset.notes) events.onNotice?.(note)
    const { datasetId, contentId } = opened.dataset
    const context = { store, settings: workspace.engines, signal }
    const specs = await resolveViews(request, base, opened, events, context)
    if (heads.length > 0) await assertHeadsFit(heads, opened.dataset, specs[0]?.featureShape ?? [])
    for (const spec of specs) await saveExtractor(store, spec)
    const featureSetIds = specs.map((spec) => featureSetIdOf(extractorIdOfSpec(spec), contentId))
    return { specs, datasetId, content: opened.location, featureSetIds }
  } finally {
    await opened.reader.close()
  }
}

const addExtractions = async (
  { backend }: Context,
  { specs, datasetId, content, featureSetIds }: Resolved,
): Promise<readonly string[]> => {
  const ids = featureSetIds.map(extractionJobId)
  for (const [index, id] of ids.entries()) {
    const extractorId = extractorIdOfSpec(specs[index] as ExtractorSpec)
    const payload = { version: PAYLOAD_VERSION, extractorId, datasetId, content } as const
    await ensureJob(backend.queue(EXTRACTION_QUEUE), 'extraction', id, payload)
  }
  return ids
}

export interface EnqueuedExtraction {
  readonly ids: readonly string[]
  readonly featureSetIds: readonly Sha256[]
}

/** One job a view. */
export const enqueueExtractionJobs = async (
  context: Context,
  request: ExtractionRequest,
  options: EnqueueOptions,
): Promise<EnqueuedExtraction> => {
  const resolved = await resolve(context, request, options, [])
  return { ids: await addExtractions(context, resolved), featureSetIds: resolved.featureSetIds }
}

export interface EnqueuedTraining {
  readonly id: string
  readonly runIds: readonly Sha256[]
  readonly extraction: EnqueuedExtraction
}

/** One job for all heads, and one a view for their features. */
export const enqueueTrainingJobs = async (
  context: Context,
  experiment: Experiment,
  options: EnqueueOptions,
): Promise<EnqueuedTraining> => {
  const { heads, seed, name, maxQuarantine } = experiment
  const resolved = await resolve(context, experiment, options, heads)
  const { specs, datasetId, content, featureSetIds } = resolved
  const ids = await addExtractions(context, resolved)
  const runIds = heads.map((head) =>
    runKeyOf({ featureSetIds, datasetId, head: head as JsonValue, seed }),
  )
  const payload: TrainingPayload = {
    version: PAYLOAD_VERSION,
    datasetId,
    content,
    base: describeBaseSource(experiment.base.from),
    extractorIds: specs.map(extractorIdOfSpec),
    maxQuarantine,
    heads,
    seed,
    ...(name === undefined ? {} : { name }),
  }
  const id = trainingJobId(runIds, { name, maxQuarantine })
  await ensureJob(context.backend.queue(TRAINING_QUEUE), 'training', id, payload)
  return { id, runIds, extraction: { ids, featureSetIds } }
}
