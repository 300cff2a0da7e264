// Owns the main job: extract what is missing, train, prove parity, publish.
import { HeadstartError, isHeadstartError } from '../errors.js'
import type { BaseRecord } from '../extractor/base/load.js'
import { findCut } from '../extractor/resolve.js'
import type { FeatureBlock } from '../features/feature-set.js'
import { assertHeadFits } from '../head/assert-fits.js'
import { checkParity } from '../model/parity.js'
import type { Parity } from '../model/run-record.js'
import type { Events } from './events.js'
import {
  assertFeaturesFit,
  createExtractorOpener,
  type ExtractViewsRequest,
  extractViews,
  loadViews,
  resolveViews,
  type ViewFeatures,
} from './extraction.js'
import {
  describeBaseSource,
  type LocatedDataset,
  resolveBase,
  resolveDataset,
} from './references.js'
import { bestOf, type ExperimentResult, nameBest } from './result.js'
import type { Experiment } from './schema.js'
import { type RunResult, trainRun } from './train-run.js'
import { joinTrainingData } from './training-data.js'
import type { Workspace } from './workspace.js'

export interface ExperimentRequest {
  readonly workspace: Workspace
  readonly experiment: Experiment
  /** Relative paths of the experiment start here. */
  readonly folder: string
  readonly signal?: AbortSignal | undefined
  readonly events?: Events
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000

/**
 * Every head against the features and the task, all faults at once, before hours of extraction.
 *
 * @throws HEAD_INVALID.
 */
const assertHeadsFit = async (
  heads: Experiment['heads'],
  { dataset }: LocatedDataset,
  featureShape: readonly number[],
): Promise<void> => {
  const { target } = dataset
  const splits = new Set(dataset.samples.map(({ split }) => split))
  const faults: string[] = []
  for (const [index, spec] of heads.entries()) {
    try {
      await assertHeadFits({ spec, featureShape, target, splits })
    } catch (error) {
      if (!isHeadstartError(error, 'HEAD_INVALID')) throw error
      const details = error.details.length > 0 ? error.details : [error.message]
      faults.push(...details.map((detail) => `heads.${index}: ${detail}`))
    }
  }
  if (faults.length === 0) return
  const [only = ''] = faults
  const message = faults.length === 1 ? only : `${faults.length} faults in the heads`
  throw new HeadstartError('HEAD_INVALID', message, { details: faults })
}

/** Proves parity when it is asked for first; all heads of an experiment share the features. */
const createProof = (
  { workspace, signal }: ExperimentRequest,
  { dataset, reader }: LocatedDataset,
  { spec, featureSet }: ViewFeatures,
  features: FeatureBlock,
): (() => Promise<Parity>) => {
  const prove = async (): Promise<Parity> => {
    const extractor = await createExtractorOpener(workspace.store)(spec)
    try {
      return await checkParity({ extractor, features, featureSet, dataset, reader, signal })
    } finally {
      await extractor.close()
    }
  }
  let proof: Promise<Parity> | undefined
  return () => {
    proof ??= prove()
    return proof
  }
}

const runOpened = async (
  request: ExperimentRequest,
  base: BaseRecord,
  opened: LocatedDataset,
): Promise<Omit<ExperimentResult, 'seconds'> & { extractSeconds: number }> => {
  const { workspace, experiment, signal, events = {} } = request
  const { store } = workspace
  const { heads, maxQuarantine, seed } = experiment
  const specs = await resolveViews(experiment, base, opened, events)
  assertFeaturesFit(specs, opened.dataset.samples.length)
  await assertHeadsFit(heads, opened, specs[0]?.featureShape ?? [])

  const extraction: ExtractViewsRequest = { store, specs, opened, maxQuarantine, signal, events }
  const extractStarted = performance.now()
  const extracted = await extractViews(extraction)
  const { blocks, results: views } = await loadViews(extraction, extracted)
  const extractSeconds = secondsSince(extractStarted)

  const [plain] = views
  const [features] = blocks
  if (plain === undefined || features === undefined) throw new RangeError('no view was extracted')
  const data = joinTrainingData(opened.dataset, blocks, plain.spec.featureShape)
  const proveParity = createProof(request, opened, plain, features)
  const from = { base: describeBaseSource(experiment.base.from), dataset: opened.location }
  const runs: RunResult[] = []
  for (const [index, head] of heads.entries()) {
    const position = { head: index, heads: heads.length }
    const shared = { workspace, opened, views, data, seed, from, proveParity, signal, events }
    runs.push(await trainRun({ ...shared, head, position }))
  }
  const best = bestOf(runs)
  if (experiment.name !== undefined) await nameBest(store, experiment.name, best, events)
  const { samples, bitwise, maxAbsDiff } = best.parity
  return {
    featureSet: {
      id: plain.featureSet.featureSetId,
      samples: opened.dataset.samples.length,
      computed: views.reduce((sum, { computed }) => sum + computed, 0),
      reused: views.reduce((sum, { reused }) => sum + reused, 0),
      quarantined: plain.featureSet.quarantine.length,
    },
    runs: runs.map(({ run, trained }) => ({
      id: run.runId,
      trained,
      head: run.head,
      metrics: run.metrics,
    })),
    best: best.runId,
    parity: { samples, bitwise, maxAbsDiff },
    extractSeconds,
  }
}

/**
 * Runs an experiment. What exists is reused; what was interrupted goes on.
 *
 * @throws any error of the catalogue that concerns bases, datasets, extraction, heads and stores.
 */
export const runExperiment = async (request: ExperimentRequest): Promise<ExperimentResult> => {
  const started = performance.now()
  const { workspace, experiment, events, folder } = request
  // The base first: a wrong cut is found at once, hashing a dataset may take minutes.
  const base = await resolveBase(workspace.store, experiment.base.from, folder, request.signal)
  findCut(base, experiment.base.cut)
  const opened = await resolveDataset(workspace.store, {
    spec: experiment.dataset,
    split: experiment.split,
    folder,
    hashCacheDir: workspace.hashCacheDir,
    signal: request.signal,
    onProgress: events?.onIndex,
  })
  try {
    for (const note of opened.dataset.notes) events?.onNotice?.(note)
    const trainStarted = performance.now()
    const { extractSeconds, ...result } = await runOpened(request, base, opened)
    const train = secondsSince(trainStarted) - extractSeconds
    return { ...result, seconds: { extract: extractSeconds, train, total: secondsSince(started) } }
  } finally {
    await opened.reader.close()
  }
}
