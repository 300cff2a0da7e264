// Owns the main job: extract what is missing, train, prove parity, publish.
import type { BaseRecord } from '../extractor/base/load.js'
import { findCut } from '../extractor/resolve.js'
import type { Events } from './events.js'
import {
  assertFeaturesFit,
  type ExtractViewsRequest,
  extractViews,
  loadViews,
  resolveViews,
} from './extraction.js'
import { assertHeadsFit } from './heads-fit.js'
import { createProof } from './parity-proof.js'
import {
  describeBaseSource,
  type LocatedDataset,
  resolveBase,
  resolveDataset,
} from './references.js'
import type { ExperimentResult } from './result.js'
import type { Experiment } from './schema.js'
import { trainHeads } from './train-heads.js'
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

const runOpened = async (
  request: ExperimentRequest,
  baseRecord: BaseRecord,
  opened: LocatedDataset,
): Promise<Omit<ExperimentResult, 'seconds'> & { extractSeconds: number }> => {
  const { workspace, experiment, signal, events = {} } = request
  const { store, engines } = workspace
  const { heads, maxQuarantine, seed } = experiment
  const context = { store, settings: engines, signal }
  const specs = await resolveViews(experiment, baseRecord, opened, events, context)
  assertFeaturesFit(specs, opened.dataset.samples.length)
  await assertHeadsFit(heads, opened.dataset, specs[0]?.featureShape ?? [])

  const extraction: ExtractViewsRequest = {
    store,
    engines,
    specs,
    opened,
    maxQuarantine,
    signal,
    events,
  }
  const extractStarted = performance.now()
  const extracted = await extractViews(extraction)
  const { blocks, results: views } = await loadViews(extraction, extracted)
  const extractSeconds = secondsSince(extractStarted)

  const [plain] = views
  const [features] = blocks
  if (plain === undefined || features === undefined) throw new RangeError('no view was extracted')
  const proof = createProof()
  const base = describeBaseSource(experiment.base.from)
  const { runs, best } = await trainHeads({
    workspace,
    opened,
    views,
    blocks,
    heads,
    seed,
    name: experiment.name,
    base,
    proveParity: () => proof({ store, engines, opened, plain, features, signal }),
    signal,
    events,
  })
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
  const base = await resolveBase(workspace, experiment.base.from, folder, request.signal)
  findCut(base, experiment.base.cut)
  const opened = await resolveDataset(workspace.store, {
    spec: experiment.dataset,
    split: experiment.split,
    folder,
    hashCacheDir: workspace.hashCacheDir,
    objects: workspace.objects,
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
