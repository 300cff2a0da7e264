// Owns the numbers at the top of a run's report and the table of its splits.
import type { Split, Target } from '../dataset/types.js'
import type { SplitMetrics } from '../head/types.js'
import type { RunRecord } from '../model/run-record.js'
import type { Html } from './html.js'
import { card, type Tile, table, tiles } from './parts.js'
import { capital, metricName, showCount, showMetric, showSeconds } from './text.js'

/** Metrics in the order of importance; the first one is the score. */
export const METRICS_OF = {
  single: ['accuracy', 'macroF1', 'top5Accuracy', 'loss'],
  multi: ['macroF1', 'accuracy', 'loss'],
  regression: ['r2', 'rmse', 'mae', 'loss'],
} as const satisfies Record<SplitMetrics['kind'], readonly string[]>

/** A metric by its name; null where this kind of metrics has none of that name. */
export const metricValue = (metrics: SplitMetrics, metric: string): number | null => {
  const value: unknown = Object.entries(metrics).find(([name]) => name === metric)?.[1]
  return typeof value === 'number' ? value : null
}

export const showValue = (metrics: SplitMetrics, metric: string): string => {
  const value = metricValue(metrics, metric)
  return value === null ? '' : showMetric(metric, value)
}

/** Top-5 accuracy says nothing where there are no more than five classes. */
const metricsOf = (target: Target): readonly string[] =>
  target.kind === 'single' && target.classes.length <= 5
    ? METRICS_OF.single.filter((metric) => metric !== 'top5Accuracy')
    : METRICS_OF[target.kind]

export const renderTiles = (run: RunRecord): Html => {
  const { metrics, dataset, target } = run
  const [score] = METRICS_OF[target.kind]
  const scored = ([split, detail]: readonly ['validation' | 'test' | 'train', string]): Tile[] => {
    const measured = metrics[split]
    if (measured === undefined) return []
    const term = `${capital(split)} ${metricName(score)}`
    return [{ term, value: showValue(measured, score), detail, main: split === 'test' }]
  }
  const all = Object.values(dataset.samples).reduce((sum, count) => sum + count, 0)
  const units = target.kind === 'regression' ? target.outputs.length : target.classes.length
  return tiles([
    ...scored(['test', `${showCount(dataset.samples.test)} samples that chose nothing`]),
    ...scored(['validation', `${showCount(dataset.samples.validation)} samples`]),
    ...(metrics.test === undefined && metrics.validation === undefined
      ? scored(['train', 'the samples it was trained on'])
      : []),
    {
      term: 'Epochs',
      value: showCount(run.history.length),
      detail: `kept: ${run.bestEpoch}${run.stoppedEarly ? ', stopped early' : ''}; ${showSeconds(run.seconds.train)}`,
    },
    {
      term: 'Samples',
      value: showCount(all),
      detail: `${showCount(units)} ${target.kind === 'regression' ? 'outputs' : 'classes'}, ${showCount(dataset.quarantined)} in quarantine`,
    },
  ])
}

export interface MeasuredSplits {
  readonly metrics: Readonly<Partial<Record<Split, SplitMetrics | undefined>>>
  readonly target: Target
}

export const renderSplits = ({ metrics, target }: MeasuredSplits): Html => {
  const names = metricsOf(target)
  const rows = (['train', 'validation', 'test'] as const).flatMap((split) => {
    const measured = metrics[split]
    return measured === undefined
      ? []
      : [
          {
            cells: [
              split,
              showCount(measured.samples),
              ...names.map((metric) => showValue(measured, metric)),
            ],
          },
        ]
  })
  return card(
    table(
      'Metrics of each split',
      [
        { title: 'Split' },
        { title: 'Samples', kind: 'number' },
        ...names.map((metric) => ({ title: metricName(metric), kind: 'number' as const })),
      ],
      rows,
    ),
  )
}
