// Owns turning a request into jobs: what it names is resolved and saved first, so that a job holds ids
// only and any worker can take it.
import { assertCutsExist, type CutViews, resolveCuts } from '../experiment/extraction.js'
import { planRuns } from '../experiment/plan-runs.js'
import { describeBaseSource, resolveBase, resolveDataset } from '../experiment/references.js'
import type { Experiment, ExtractionRequest } from '../experiment/schema.js'
import { assertSweepFits } from '../experiment/sweep/assert-fits.js'
import { planSweep, type SweepPlan } from '../experiment/sweep/plan-sweep.js'
import type { Workspace } from '../experiment/workspace.js'
import { saveExtractor } from '../extract/plan.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import type { Sha256 } from '../identity/hash.js'
import { featureSetIdOf } from '../identity/ids.js'
import { type Selection, sweepIdOf } from '../model/sweep-record.js'
import { besideOf } from './beside.js'
import { ensureJob } from './ensure-job.js'
import {
  EXTRACTION_QUEUE,
  type ExtractionPayload,
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
  /** Of all cuts and views, each once. */
  readonly specs: readonly ExtractorSpec[]
  /** One a cut of the request. */
  readonly cuts: readonly CutViews[]
  readonly datasetId: Sha256
  readonly contentId: Sha256
  /** Where the content lies. */
  readonly content: string
  /** One a spec. */
  readonly featureSetIds: readonly Sha256[]
  /** By what the best head is chosen; null for an extraction alone. */
  readonly selection: Selection | null
}

const resolve = async (
  { workspace }: Context,
  request: ExtractionRequest,
  { folder, signal, events = {} }: EnqueueOptions,
  plan: SweepPlan | null,
): Promise<Resolved> => {
  const { store, hashCacheDir, objects } = workspace
  const base = await resolveBase(workspace, request.base.from, folder, signal)
  assertCutsExist(base, request.base)
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
    const cuts = await resolveCuts(request, base, opened, events, context)
    const specs = cuts.flatMap((one) => one.specs)
    const ofRequest = request.base.cuts.map(
      (_, index) => cuts.find(({ asked }) => asked.includes(index)) as CutViews,
    )
    const shapes = ofRequest.map((one) => one.specs[0]?.featureShape ?? [])
    const selection = plan === null ? null : await assertSweepFits(plan, opened.dataset, shapes)
    for (const spec of specs) await saveExtractor(store, spec)
    const featureSetIds = specs.map((spec) => featureSetIdOf(extractorIdOfSpec(spec), contentId))
    return {
      specs,
      cuts: ofRequest,
      datasetId,
      contentId,
      content: opened.location,
      featureSetIds,
      selection,
    }
  } finally {
    await opened.reader.close()
  }
}

const addExtractions = async (
  { backend }: Context,
  { specs, datasetId, content, featureSetIds }: Resolved,
): Promise<readonly string[]> => {
  const ids = featureSetIds.map(extractionJobId)
  const beside = besideOf(specs)
  for (const [index, id] of ids.entries()) {
    const extractorId = extractorIdOfSpec(specs[index] as ExtractorSpec)
    const payload: ExtractionPayload = {
      version: PAYLOAD_VERSION,
      extractorId,
      beside: beside(extractorId),
      datasetId,
      content,
    }
    await ensureJob(backend.queue(EXTRACTION_QUEUE), 'extraction', id, payload)
  }
  return ids
}

export interface EnqueuedExtraction {
  readonly ids: readonly string[]
  readonly featureSetIds: readonly Sha256[]
}

/** One job a cut and view; those that share a forward pass know of each other. */
export const enqueueExtractionJobs = async (
  context: Context,
  request: ExtractionRequest,
  options: EnqueueOptions,
): Promise<EnqueuedExtraction> => {
  const resolved = await resolve(context, request, options, null)
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
  const { seed, name, maxQuarantine } = experiment
  const plan = planSweep(experiment)
  for (const note of plan.notes) options.events?.onNotice?.(note)
  const resolved = await resolve(context, experiment, options, plan)
  const { cuts, datasetId, contentId, content, featureSetIds, selection } = resolved
  if (selection === null) throw new RangeError('a training chooses a best head')
  const { candidates, folds, halving } = plan
  const ids = await addExtractions(context, resolved)
  const runIds = planRuns({
    candidates,
    featureSetIds: cuts.map(({ specs }) =>
      specs.map((spec) => featureSetIdOf(extractorIdOfSpec(spec), contentId)),
    ),
    datasetId,
    seed,
  }).map(({ runId }) => runId)
  const payload: TrainingPayload = {
    version: PAYLOAD_VERSION,
    datasetId,
    content,
    base: describeBaseSource(experiment.base.from),
    cuts: cuts.map(({ cut, specs }) => ({ ...cut, extractorIds: specs.map(extractorIdOfSpec) })),
    maxQuarantine,
    candidates: [...candidates],
    select: selection,
    folds,
    halving,
    seed,
    ...(name === undefined ? {} : { name }),
  }
  const sweepId = sweepIdOf({ runKeys: runIds, select: selection, folds, halving })
  const id = trainingJobId(sweepId, { name, maxQuarantine })
  await ensureJob(context.backend.queue(TRAINING_QUEUE), 'training', id, payload)
  return { id, runIds, extraction: { ids, featureSetIds } }
}
