// Owns choosing the best of many heads by one validation metric. Pure.
import type { Target } from '../../dataset/types.js'
import { HeadstartError } from '../../errors.js'
import type { SplitMetrics } from '../../head/types.js'
import type { Selection, SelectMetric } from '../../model/sweep-record.js'

type TaskKind = Target['kind']

/** What can be chosen by, the usual one first. */
const METRICS: Readonly<Record<TaskKind, readonly [SelectMetric, ...SelectMetric[]]>> = {
  single: ['accuracy', 'top5Accuracy', 'macroF1', 'loss'],
  multi: ['macroF1', 'accuracy', 'loss'],
  regression: ['r2', 'rmse', 'mae', 'loss'],
}

const LOWER_IS_BETTER: ReadonlySet<SelectMetric> = new Set(['loss', 'rmse', 'mae'])

/**
 * What the best head is chosen by.
 *
 * @param select null: the usual metric of the task.
 * @throws REQUEST_INVALID when the metric does not fit the task.
 */
export const selectionFor = (select: SelectMetric | null, kind: TaskKind): Selection => {
  const metrics = METRICS[kind]
  const metric = select ?? metrics[0]
  if (!metrics.includes(metric))
    throw new HeadstartError(
      'REQUEST_INVALID',
      `select: ${metric} cannot be measured on a ${kind} dataset; there are ${metrics.join(', ')}`,
    )
  return { metric, higherIsBetter: !LOWER_IS_BETTER.has(metric) }
}

/** The value of a metric; NaN where the metrics do not have it. */
export const metricValue = (metrics: SplitMetrics, metric: SelectMetric): number => {
  const value: unknown = Object.entries(metrics).find(([name]) => name === metric)?.[1]
  return typeof value === 'number' ? value : Number.NaN
}

/**
 * Index of the best value; the first of equals. What is null or no finite number never wins.
 *
 * @returns null when nothing can win.
 */
export const bestIndex = (
  values: readonly (number | null)[],
  { higherIsBetter }: Selection,
): number | null => {
  let best: { readonly index: number; readonly value: number } | null = null
  for (const [index, value] of values.entries()) {
    if (value === null || !Number.isFinite(value)) continue
    const isBetter = best === null || (higherIsBetter ? value > best.value : value < best.value)
    if (isBetter) best = { index, value }
  }
  return best?.index ?? null
}
