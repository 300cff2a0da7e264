// Owns the reports that lie beside runs: gathers what they are drawn from, with one pass over the features
// for all runs that were trained on them, and writes each twice, as a page and as JSON.
import type { OpenDataset } from '../dataset/types.js'
import { loadFeatureSet } from '../features/feature-set.js'
import type { PredictionRows } from '../features/prediction-rows.js'
import type { Sha256 } from '../identity/hash.js'
import { predictSplits, type SplitPredictions } from '../model/predictions.js'
import { runReportKey } from '../model/report-keys.js'
import type { RunRecord } from '../model/run-record.js'
import { MAX_MISTAKES } from '../report/mistakes.js'
import { measuredSplit, mistakesOf } from '../report/predictions.js'
import { renderRunReport } from '../report/run-report.js'
import { makeThumbnail } from '../report/thumbnail.js'
import type { MeasuredSplit, Prediction, RunReport } from '../report/types.js'
import type { Store } from '../store/port.js'
import type { KeptFeatures } from './feature-keeper.js'
import { putReport } from './put-report.js'

export interface ReportContext {
  readonly store: Store
  /** The reader names samples and reads images; null where the content is not at hand. */
  readonly opened: Pick<OpenDataset, 'dataset'> & { readonly reader: OpenDataset['reader'] | null }
  readonly signal: AbortSignal | undefined
}

const MEASURED = ['validation', 'test'] as const satisfies readonly MeasuredSplit[]

const namerOf = ({ opened }: ReportContext): ((key: Sha256) => string) => {
  const names = new Map(opened.dataset.samples.map(({ key, names: [name] }) => [key, name]))
  return (key) => names.get(key) ?? key
}

/** As the report has them; null where the split has no sample, or was not read. */
const namePredictions = (
  predicted: PredictionRows | undefined,
  nameOf: (key: Sha256) => string,
): readonly Prediction[] | null => {
  if (predicted === undefined) return null
  const { kind, rows } = predicted
  return rows.map((row) => ({ ...row, kind, name: nameOf(row.key) }) as Prediction)
}

/** Of the mistakes that the page shows. An image that cannot be read has none. */
const thumbnailsOf = async (
  { opened: { dataset, reader } }: ReportContext,
  report: Omit<RunReport, 'thumbnails'>,
): Promise<Record<Sha256, string>> => {
  const split = measuredSplit(report)
  if (split === null || reader === null || dataset.content.kind !== 'image') return {}
  const found: Record<Sha256, string> = {}
  for (const { key } of mistakesOf(report.predictions[split] ?? [], MAX_MISTAKES)) {
    const content = await reader.read(key).catch(() => null)
    const thumbnail = content === null ? null : await makeThumbnail(content)
    if (thumbnail !== null) found[key] = thumbnail
  }
  return found
}

const writeRunReport = async (
  context: ReportContext,
  run: RunRecord,
  predicted: SplitPredictions,
  nameOf: (key: Sha256) => string,
): Promise<void> => {
  const { store, opened } = context
  const featureSet = await loadFeatureSet(store, run.extractors[0]?.featureSetId ?? '')
  const report = {
    kind: 'run' as const,
    run,
    predictions: {
      validation: namePredictions(predicted.validation, nameOf),
      test: namePredictions(predicted.test, nameOf),
    },
    quarantine: (featureSet?.quarantine ?? []).map(({ key, reason }) => ({
      name: nameOf(key),
      reason,
    })),
    notes: opened.dataset.notes,
  }
  const data = { ...report, thumbnails: await thumbnailsOf(context, report) }
  const page = renderRunReport(data)
  await putReport(store, (extension) => runReportKey(run.runId, extension), { page, data })
}

/**
 * Writes the reports of runs that were trained on the same features.
 *
 * @param features of every sample in view 0, where they are open; null: they are read from the store.
 * @throws NOT_FOUND when the features were removed; STORE_CORRUPT, FEATURES_CORRUPT, INTERRUPTED.
 */
export const writeRunReports = async (
  context: ReportContext,
  runs: readonly RunRecord[],
  features: KeptFeatures | null,
): Promise<void> => {
  const { store, opened, signal } = context
  const nameOf = namerOf(context)
  await predictSplits({
    ...{ store, dataset: opened.dataset, features, signal },
    // Without metrics a split has no sample, or it was not read.
    wanted: runs.map((run) => ({
      run,
      splits: MEASURED.filter((split) => run.metrics[split] !== undefined),
    })),
    take: (run, predicted) => writeRunReport(context, run, predicted, nameOf),
  })
}
