// Owns the reports that lie beside runs and sweeps: gathers what they are drawn from and writes each
// twice, as a page and as JSON. A report is never a reason for a training to fail.
import type { OpenDataset } from '../dataset/types.js'
import { isHeadstartError } from '../errors.js'
import { loadFeatureSet } from '../features/feature-set.js'
import type { JsonValue } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import { predictSplit } from '../model/predictions.js'
import { runReportKey, sweepReportKey } from '../model/report-keys.js'
import { loadRun, type RunRecord } from '../model/run-record.js'
import { isSweep, type SweepRecord } from '../model/sweep-record.js'
import { MAX_MISTAKES } from '../report/mistakes.js'
import { measuredSplit, mistakesOf } from '../report/predictions.js'
import { renderRunReport } from '../report/run-report.js'
import { renderSweepReport } from '../report/sweep/sweep-report.js'
import { makeThumbnail } from '../report/thumbnail.js'
import type { MeasuredSplit, Prediction, RunReport, SweepReport } from '../report/types.js'
import { encodeJson } from '../store/json.js'
import type { Store, StoreKey } from '../store/port.js'
import { VERSION } from '../version.js'

export interface ReportContext {
  readonly store: Store
  /** The reader names samples and reads images; null where the content is not at hand. */
  readonly opened: Pick<OpenDataset, 'dataset'> & { readonly reader: OpenDataset['reader'] | null }
  readonly signal: AbortSignal | undefined
}

/** Newer pages take the place of older ones: they say the same, maybe better. */
const put = async (store: Store, key: StoreKey, content: Uint8Array): Promise<void> => {
  const seen = await store.head(key)
  try {
    await store.replace(key, content, seen?.version ?? null)
  } catch (error) {
    // Somebody else writes the same report.
    if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
  }
}

const plain = (value: unknown): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue

const namerOf = ({ opened }: ReportContext): ((key: Sha256) => string) => {
  const names = new Map(opened.dataset.samples.map(({ key, names: [name] }) => [key, name]))
  return (key) => names.get(key) ?? key
}

const predictionsOf = async (
  { store, opened: { dataset }, signal }: ReportContext,
  run: RunRecord,
  split: MeasuredSplit,
  nameOf: (key: Sha256) => string,
): Promise<readonly Prediction[] | null> => {
  // Without metrics the split has no sample, or it was not read.
  if (run.metrics[split] === undefined) return null
  const { kind, rows } = await predictSplit({ store, run, dataset, split, signal })
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

/**
 * Writes the report of a run. @returns the data that it was drawn from.
 *
 * @throws NOT_FOUND when the features were removed; STORE_CORRUPT, FEATURES_CORRUPT, INTERRUPTED.
 */
export const writeRunReport = async (
  context: ReportContext,
  run: RunRecord,
): Promise<RunReport> => {
  const { store, opened } = context
  const nameOf = namerOf(context)
  const featureSet = await loadFeatureSet(store, run.extractors[0]?.featureSetId ?? '')
  const report = {
    kind: 'run' as const,
    run,
    predictions: {
      validation: await predictionsOf(context, run, 'validation', nameOf),
      test: await predictionsOf(context, run, 'test', nameOf),
    },
    quarantine: (featureSet?.quarantine ?? []).map(({ key, reason }) => ({
      name: nameOf(key),
      reason,
    })),
    notes: opened.dataset.notes,
  }
  const complete = { ...report, thumbnails: await thumbnailsOf(context, report) }
  await put(store, runReportKey(run.runId, 'html'), Buffer.from(renderRunReport(complete)))
  await put(store, runReportKey(run.runId, 'json'), encodeJson(plain(complete)))
  return complete
}

const planOf = ({ heads, folds, halving }: SweepRecord): string =>
  [
    `${heads.length} head${heads.length === 1 ? '' : 's'}`,
    ...(folds === null ? [] : [`${folds}-fold cross-validation`]),
    ...(halving === null
      ? []
      : [`successive halving from ${halving.epochs} epochs by ${halving.factor}`]),
  ].join(', ')

/** Writes the report of a sweep, with links to the reports of its runs. @throws as writeRunReport. */
export const writeSweepReport = async (
  { store, opened: { dataset } }: ReportContext,
  sweep: SweepRecord,
): Promise<SweepReport> => {
  const runs = new Map<Sha256, RunRecord>()
  for (const { runId } of sweep.heads) {
    const run = runId === null ? null : await loadRun(store, runId)
    if (run !== null) runs.set(run.runId, run)
  }
  const best = runs.get(sweep.best.runId)
  const heads: SweepReport['heads'][number][] = []
  for (const [index, head] of sweep.heads.entries()) {
    const run = head.runId === null ? undefined : runs.get(head.runId)
    const hasReport =
      run !== undefined && (await store.head(runReportKey(run.runId, 'html'))) !== null
    const { cut, pooling, views, state, runId, epochs, value, folds, history = [] } = head
    heads.push({
      ...{ cut, pooling, views, state, runId, epochs, value, folds },
      label: `#${index + 1}`,
      spec: head.head as unknown as SweepReport['heads'][number]['spec'],
      seed: run?.seed ?? best?.seed ?? 0,
      reportHref: hasReport ? `../../${runReportKey(run.runId, 'html')}` : null,
      bestEpoch: run?.bestEpoch ?? null,
      history: run?.history ?? history,
    })
  }
  const report: SweepReport = {
    kind: 'sweep',
    sweepId: sweep.sweepId,
    createdAt: sweep.createdAt,
    target: dataset.target,
    select: sweep.select,
    base: sweep.base,
    dataset: {
      ...sweep.dataset,
      from: best?.dataset.from ?? '',
      samples: best?.dataset.samples ?? { train: 0, validation: 0, test: 0 },
      quarantined: best?.dataset.quarantined ?? 0,
    },
    featureSetIds: [
      ...new Set(
        [...runs.values()].flatMap(({ extractors }) =>
          extractors.map(({ featureSetId }) => featureSetId),
        ),
      ),
    ],
    plan: planOf(sweep),
    heads,
    best: {
      label: `#${sweep.best.index + 1}`,
      validation: best?.metrics.validation ?? null,
      test: sweep.best.test,
    },
    seconds: { train: Math.max(0, ...[...runs.values()].map(({ seconds }) => seconds.train)) },
    versions: best?.versions ?? { headstart: VERSION },
    notes: dataset.notes,
  }
  await put(store, sweepReportKey(sweep.sweepId, 'html'), Buffer.from(renderSweepReport(report)))
  await put(store, sweepReportKey(sweep.sweepId, 'json'), encodeJson(plain(report)))
  return report
}

/** Runs of a larger sweep have their reports written when they are asked for. */
const MAX_RUN_REPORTS = 8

/**
 * Writes the reports of a finished experiment: of its runs, of the best one alone where there are many,
 * and of the sweep where it has several heads or folds.
 */
export const writeReports = async (
  context: ReportContext,
  {
    sweep,
    runs,
    best,
  }: {
    readonly sweep: SweepRecord
    readonly runs: readonly RunRecord[]
    readonly best: RunRecord
  },
): Promise<void> => {
  const reported = runs.length <= MAX_RUN_REPORTS ? runs : [best]
  for (const run of reported) await writeRunReport(context, run)
  if (isSweep(sweep)) await writeSweepReport(context, sweep)
}
