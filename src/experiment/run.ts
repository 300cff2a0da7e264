// Owns the main job: extract what is missing, train, prove parity, publish.
import type { BaseRecord } from '../extractor/base/load.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { Events } from './events.js'
import {
  assertCutsExist,
  type CutViews,
  type ExtractViewsRequest,
  extractViews,
  resolveCuts,
  type ViewFeatures,
} from './extraction.js'
import { createFeatureKeeper, type FeatureKeeper } from './feature-keeper.js'
import { loadViews } from './load-views.js'
import { createProof } from './parity-proof.js'
import {
  describeBaseSource,
  type LocatedDataset,
  resolveBase,
  resolveDataset,
} from './references.js'
import { type ExperimentResult, resultOf } from './result.js'
import type { Experiment } from './schema.js'
import { assertSweepFits } from './sweep/assert-fits.js'
import { planSweep, type SweepPlan } from './sweep/plan-sweep.js'
import type { CutFeatures } from './sweep-types.js'
import { trainSweep } from './train-sweep.js'
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

type LocatedExtraction = ExtractViewsRequest & { readonly opened: LocatedDataset }

/** How features are opened, and where they stay. */
interface OpenContext {
  readonly workspace: Workspace
  readonly extraction: LocatedExtraction
  readonly keeper: FeatureKeeper
}

const setsOf = (views: readonly ViewFeatures[]) => views.map(({ featureSet }) => featureSet)

/** The features of one cut; what is found damaged when they are opened is computed again. */
const createCutFeatures = (
  { workspace, extraction, keeper }: OpenContext,
  { cut, specs }: CutViews,
  extracted: readonly ViewFeatures[],
): CutFeatures => {
  const { store, engines, opened, signal } = extraction
  const views = [...extracted]
  const prove = createProof()
  return {
    cut,
    views,
    open: (count) => {
      const wanted = views.slice(0, count)
      return keeper.open(setsOf(wanted), async (memoryBytes) => {
        const request = { ...extraction, specs: specs.slice(0, count) }
        const { features, results } = await loadViews(request, wanted, {
          ...workspace,
          memoryBytes,
        })
        views.splice(0, count, ...results)
        return { features, sets: setsOf(results) }
      })
    },
    findOpen: () => keeper.find(setsOf(views.slice(0, 1))),
    proveParity: (features) =>
      prove({ store, engines, opened, plain: views[0] as ViewFeatures, features, signal }),
  }
}

/** Makes sure that the features of all cuts are there. @returns one a cut of the experiment. */
const extractCuts = async (
  context: OpenContext,
  cuts: readonly CutViews[],
): Promise<CutFeatures[]> => {
  const extracted = await extractViews(context.extraction)
  const viewOf = new Map(extracted.map((one) => [one.spec, one]))
  const found: CutFeatures[] = []
  for (const one of cuts) {
    const views = one.specs.map((spec: ExtractorSpec) => viewOf.get(spec) as ViewFeatures)
    const features = createCutFeatures(context, one, views)
    for (const index of one.asked) found[index] = features
  }
  return found
}

const runOpened = async (
  request: ExperimentRequest,
  baseRecord: BaseRecord,
  opened: LocatedDataset,
  plan: SweepPlan,
): Promise<ExperimentResult> => {
  const started = performance.now()
  const { workspace, experiment, signal, events = {} } = request
  const { store, engines } = workspace
  const { maxQuarantine, seed, name } = experiment
  const context = { store, settings: engines, signal }
  const cuts = await resolveCuts(experiment, baseRecord, opened, events, context)
  const specs = cuts.flatMap((one) => one.specs)
  const shapeAt = (index: number) =>
    cuts.find(({ asked }) => asked.includes(index))?.specs[0]?.featureShape ?? []
  const shapes = experiment.base.cuts.map((_, index) => shapeAt(index))
  const selection = await assertSweepFits(plan, opened.dataset, shapes)
  const extraction = { store, engines, specs, opened, maxQuarantine, signal, events }
  const keeper = createFeatureKeeper(workspace.memoryBytes)
  try {
    const features = await extractCuts({ workspace, extraction, keeper }, cuts)
    const extractSeconds = secondsSince(started)
    const base = describeBaseSource(experiment.base.from)
    const swept = await trainSweep({
      ...{ workspace, opened, cuts: features, plan, selection, seed, name, base, signal, events },
    })
    return resultOf({
      views: [...new Set(features)].flatMap(({ views }) => views),
      samples: opened.dataset.samples.length,
      swept,
      seconds: { extract: extractSeconds, train: secondsSince(started) - extractSeconds },
    })
  } finally {
    await keeper.close()
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
  const plan = planSweep(experiment)
  for (const note of plan.notes) events?.onNotice?.(note)
  // The base first: a wrong cut is found at once, hashing a dataset may take minutes.
  const base = await resolveBase(workspace, experiment.base.from, folder, request.signal)
  assertCutsExist(base, experiment.base)
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
    const result = await runOpened(request, base, opened, plan)
    return { ...result, seconds: { ...result.seconds, total: secondsSince(started) } }
  } finally {
    await opened.reader.close()
  }
}
