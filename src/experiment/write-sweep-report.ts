// Owns the report that lies beside a sweep: gathers its heads and runs, and links to the reports of these.
import type { Sha256 } from '../identity/hash.js'
import { runReportKey, sweepReportKey } from '../model/report-keys.js'
import { loadRun, type RunRecord } from '../model/run-record.js'
import type { SweepRecord } from '../model/sweep-record.js'
import { renderSweepReport } from '../report/sweep/sweep-report.js'
import type { SweepReport } from '../report/types.js'
import { VERSION } from '../version.js'
import { putReport } from './put-report.js'
import type { ReportContext } from './write-run-reports.js'

const planOf = ({ heads, folds, halving }: SweepRecord): string =>
  [
    `${heads.length} head${heads.length === 1 ? '' : 's'}`,
    ...(folds === null ? [] : [`${folds}-fold cross-validation`]),
    ...(halving === null
      ? []
      : [`successive halving from ${halving.epochs} epochs by ${halving.factor}`]),
  ].join(', ')

/** Writes the report of a sweep, with links to the reports of its runs. @throws STORE_CORRUPT. */
export const writeSweepReport = async (
  { store, opened: { dataset } }: Pick<ReportContext, 'store' | 'opened'>,
  sweep: SweepRecord,
): Promise<void> => {
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
  const page = renderSweepReport(report)
  const keyOf = (extension: 'html' | 'json') => sweepReportKey(sweep.sweepId, extension)
  await putReport(store, keyOf, { page, data: report })
}
