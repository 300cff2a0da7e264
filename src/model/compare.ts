// Owns comparing two published runs on the test samples that both have: their metrics, whether the
// difference is more than chance, and what sets their training apart.
import { loadDataset } from '../dataset/save.js'
import { HeadstartError } from '../errors.js'
import { shortId } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { type Compared, compareRows, type RowsOfRun } from './compare-rows.js'
import { type Difference, metricDifferences, specDifferences } from './compare-specs.js'
import { loadPredictions } from './prediction-files.js'
import { predictSplit } from './predictions.js'
import type { RunRecord } from './run-record.js'

/** Below it a difference is called significant. */
export const SIGNIFICANCE = 0.05

export interface Comparison extends Compared {
  readonly a: string
  readonly b: string
  /** pValue < 0.05. */
  readonly significant: boolean
  /** What sets the two trainings apart. */
  readonly fields: readonly Difference[]
  /** Metrics of the two records, each on its own splits. */
  readonly metrics: readonly Difference[]
}

export interface CompareRequest {
  readonly store: Store
  readonly a: RunRecord
  readonly b: RunRecord
  readonly signal?: AbortSignal | undefined
  /** Says that a test split is read. */
  readonly onNotice?: ((message: string) => void) | undefined
}

const rowsOf = async (
  { store, signal, onNotice }: CompareRequest,
  run: RunRecord,
): Promise<RowsOfRun> => {
  const kept = await loadPredictions(store, run, 'test')
  if (kept !== null) return { target: run.target, predictions: kept }
  const dataset = await loadDataset(store, run.dataset.datasetId)
  const predictions = await predictSplit({ store, run, dataset, split: 'test', signal })
  onNotice?.(
    `the test split was read for the run ${shortId(run.runId)}: choose no head by what it says`,
  )
  return { target: run.target, predictions }
}

/**
 * Two runs, on the samples that are in the test split of both.
 *
 * @throws REQUEST_INVALID for one run twice, other tasks, or no shared sample; NOT_FOUND when features
 *   or datasets were removed.
 */
export const compareRuns = async (request: CompareRequest): Promise<Comparison> => {
  const { a, b } = request
  if (a.runId === b.runId)
    throw new HeadstartError('REQUEST_INVALID', `both are the run ${shortId(a.runId)}: name two`)
  if (a.target.kind !== b.target.kind)
    throw new HeadstartError(
      'REQUEST_INVALID',
      `${shortId(a.runId)} is a ${a.target.kind} head and ${shortId(b.runId)} a ${b.target.kind} one: they have no metric in common`,
    )
  for (const run of [a, b])
    if (run.dataset.samples.test === 0)
      throw new HeadstartError(
        'REQUEST_INVALID',
        `the dataset of the run ${shortId(run.runId)} has no test split`,
      )
  const compared = compareRows(await rowsOf(request, a), await rowsOf(request, b))
  return {
    a: a.runId,
    b: b.runId,
    ...compared,
    significant: compared.test.pValue < SIGNIFICANCE,
    fields: specDifferences(a, b),
    metrics: metricDifferences(a, b),
  }
}
