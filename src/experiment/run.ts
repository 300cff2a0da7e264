// Owns the main job: extract what is missing, train, prove parity, publish.
import { HeadstartError } from '../errors.js'
import { scoreOf } from '../head/metrics.js'
import { checkParity } from '../model/parity.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import { setName } from '../store/names.js'
import type { Events } from './events.js'
import {
  createExtractorOpener,
  type ExtractViewsRequest,
  extractViews,
  loadViews,
  resolveViews,
} from './extraction.js'
import {
  describeBaseSource,
  type LocatedDataset,
  resolveBase,
  resolveDataset,
} from './references.js'
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

export interface ExperimentResult {
  readonly featureSet: {
    readonly id: string
    /** Samples of the dataset. */
    readonly samples: number
    /** Forward passes made, over all views. */
    readonly computed: number
    readonly reused: number
    readonly quarantined: number
  }
  readonly runs: readonly {
    readonly id: string
    /** False when an identical run existed. */
    readonly trained: boolean
    readonly head: RunRecord['head']
    readonly metrics: RunRecord['metrics']
  }[]
  /** The run with the best validation score (training score where there is no validation split). */
  readonly best: string
  readonly parity: Pick<Parity, 'samples' | 'bitwise' | 'maxAbsDiff'>
  readonly seconds: { readonly extract: number; readonly train: number; readonly total: number }
}

const bestOf = (runs: readonly RunResult[]): RunRecord => {
  const score = ({ run }: RunResult): number => {
    const metrics = run.metrics.validation ?? run.metrics.train
    return metrics === undefined ? Number.NEGATIVE_INFINITY : scoreOf(metrics)
  }
  const [first, ...others] = runs
  if (first === undefined) throw new HeadstartError('REQUEST_INVALID', 'there is no head to train')
  return others.reduce((best, run) => (score(run) > score(best) ? run : best), first).run
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000

const runOpened = async (
  request: ExperimentRequest,
  opened: LocatedDataset,
  started: number,
): Promise<ExperimentResult> => {
  const { workspace, experiment, signal, events = {} } = request
  const { store } = workspace
  const base = await resolveBase(store, experiment.base.from, request.folder)
  const specs = await resolveViews(experiment, base, opened, events)
  const { maxQuarantine } = experiment
  const extraction: ExtractViewsRequest = { store, specs, opened, maxQuarantine, signal, events }
  const extractStarted = performance.now()
  const extracted = await extractViews(extraction)
  const { blocks, results: views } = await loadViews(extraction, extracted)
  const extractSeconds = secondsSince(extractStarted)

  const trainStarted = performance.now()
  const [plain] = views
  const [features] = blocks
  if (plain === undefined || features === undefined) throw new RangeError('no view was extracted')
  const data = joinTrainingData(opened.dataset, blocks, plain.spec.featureShape)

  let proof: Promise<Parity> | undefined
  const prove = async (): Promise<Parity> => {
    const extractor = await createExtractorOpener(store)(plain.spec)
    try {
      const { dataset, reader } = opened
      return await checkParity({ extractor, features, dataset, reader, signal })
    } finally {
      await extractor.close()
    }
  }
  const proveParity = (): Promise<Parity> => (proof ??= prove())

  const runs: RunResult[] = []
  for (const [index, head] of experiment.heads.entries())
    runs.push(
      await trainRun({
        workspace,
        opened,
        views,
        data,
        head,
        seed: experiment.seed,
        from: { base: describeBaseSource(experiment.base.from), dataset: opened.location },
        proveParity,
        signal,
        onEpoch: events.onEpoch,
        position: { head: index, heads: experiment.heads.length },
      }),
    )
  const best = bestOf(runs)
  if (experiment.name !== undefined)
    await setName(store, 'run', experiment.name, { runId: best.runId }, { replace: true })
  const trainSeconds = secondsSince(trainStarted)
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
    seconds: { extract: extractSeconds, train: trainSeconds, total: secondsSince(started) },
  }
}

/**
 * Runs an experiment. What exists is reused; what was interrupted goes on.
 *
 * @throws any error of the catalogue that concerns bases, datasets, extraction, heads and stores.
 */
export const runExperiment = async (request: ExperimentRequest): Promise<ExperimentResult> => {
  const started = performance.now()
  const { workspace, experiment, events } = request
  const opened = await resolveDataset(workspace.store, {
    spec: experiment.dataset,
    split: experiment.split,
    folder: request.folder,
    hashCacheDir: workspace.hashCacheDir,
    signal: request.signal,
    onProgress: events?.onIndex,
  })
  try {
    for (const note of opened.dataset.notes) events?.onNotice?.(note)
    return await runOpened(request, opened, started)
  } finally {
    await opened.reader.close()
  }
}
