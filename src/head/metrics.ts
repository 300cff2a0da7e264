// Owns the metrics of predictions against labels. Pure; plain arrays; sums in float64.
import type { Target } from '../dataset/types.js'
import type { ClassMetrics, SplitMetrics } from './types.js'

/** Probabilities are clipped to [1e-7, 1 - 1e-7] in losses, as in Keras. */
const CLIP = 1e-7
const TOP = 5

type Labels = readonly (readonly number[])[]

const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : 0)
export const logOf = (p: number): number => Math.log(Math.min(Math.max(p, CLIP), 1 - CLIP))

/** Index of the largest of `size` values; the first of equals. */
const argMax = (values: Float32Array, offset: number, size: number): number => {
  let best = 0
  for (let index = 1; index < size; index += 1) {
    if ((values[offset + index] as number) > (values[offset + best] as number)) best = index
  }
  return best
}

/** How many values come before index `at`: larger ones, and equal ones with a smaller index. */
const rankOf = (values: Float32Array, offset: number, size: number, at: number): number => {
  const value = values[offset + at] as number
  let rank = 0
  for (let index = 0; index < size; index += 1) {
    const other = values[offset + index] as number
    if (other > value || (other === value && index < at)) rank += 1
  }
  return rank
}

export interface Counts {
  readonly truePositive: number
  readonly predicted: number
  readonly support: number
}

const classMetrics = (names: readonly string[], counts: readonly Counts[]): ClassMetrics[] =>
  counts.map(({ truePositive, predicted, support }, index) => ({
    name: names[index] ?? String(index),
    precision: ratio(truePositive, predicted),
    recall: ratio(truePositive, support),
    f1: ratio(2 * truePositive, predicted + support),
    support,
  }))

/**
 * Mean F1 over the classes that occur in the labels or in the predictions; a class that occurs in
 * neither says nothing and is left out. 0 if no class occurs. As scikit-learn's f1_score(average =
 * 'macro', zero_division = 0) without `labels` for single labels.
 */
export const macroF1 = (counts: readonly Counts[]): number => {
  const present = counts.filter(({ predicted, support }) => predicted + support > 0)
  const sum = present.reduce(
    (total, { truePositive, predicted, support }) =>
      total + (2 * truePositive) / (predicted + support),
    0,
  )
  return ratio(sum, present.length)
}

const singleCounts = (confusion: readonly (readonly number[])[]): Counts[] =>
  confusion.map((row, index) => ({
    truePositive: row[index] ?? 0,
    predicted: confusion.reduce((total, other) => total + (other[index] ?? 0), 0),
    support: row.reduce((total, count) => total + count, 0),
  }))

const singleMetrics = (
  classes: readonly string[],
  predictions: Float32Array,
  labels: Labels,
): SplitMetrics => {
  const size = classes.length
  const confusion = classes.map(() => new Array<number>(size).fill(0))
  let loss = 0
  let right = 0
  let inTop = 0
  for (const [row, label] of labels.entries()) {
    const actual = label[0] as number
    const offset = row * size
    const predicted = argMax(predictions, offset, size)
    const counts = confusion[actual] as number[]
    counts[predicted] = (counts[predicted] ?? 0) + 1
    loss -= logOf(predictions[offset + actual] as number)
    if (predicted === actual) right += 1
    if (rankOf(predictions, offset, size, actual) < Math.min(TOP, size)) inTop += 1
  }
  const counts = singleCounts(confusion)
  return {
    kind: 'single',
    samples: labels.length,
    loss: ratio(loss, labels.length),
    accuracy: ratio(right, labels.length),
    top5Accuracy: ratio(inTop, labels.length),
    macroF1: macroF1(counts),
    perClass: classMetrics(classes, counts),
    confusion,
  }
}

const multiMetrics = (
  classes: readonly string[],
  predictions: Float32Array,
  labels: Labels,
): SplitMetrics => {
  const size = classes.length
  const confusion = classes.map(() => [
    [0, 0],
    [0, 0],
  ])
  let loss = 0
  let right = 0
  for (const [row, label] of labels.entries()) {
    const actual = new Set(label)
    let wrong = 0
    for (let index = 0; index < size; index += 1) {
      const p = predictions[row * size + index] as number
      const is = actual.has(index) ? 1 : 0
      const said = p >= 0.5 ? 1 : 0
      loss -= logOf(is === 1 ? p : 1 - p)
      if (is !== said) wrong += 1
      const counts = (confusion[index] as number[][])[is] as number[]
      counts[said] = (counts[said] ?? 0) + 1
    }
    if (wrong === 0) right += 1
  }
  const counts = confusion.map(([no, yes]) => ({
    truePositive: yes?.[1] ?? 0,
    predicted: (no?.[1] ?? 0) + (yes?.[1] ?? 0),
    support: (yes?.[0] ?? 0) + (yes?.[1] ?? 0),
  }))
  return {
    kind: 'multi',
    samples: labels.length,
    loss: ratio(loss, labels.length * size),
    accuracy: ratio(right, labels.length),
    macroF1: macroF1(counts),
    perClass: classMetrics(classes, counts),
    confusion,
  }
}

/** R2 of one output: 1 - residual / total; for a constant target 1 if all are met, else 0. */
export const r2Of = (residual: number, total: number, isConstant: boolean): number => {
  if (!isConstant && total > 0) return 1 - residual / total
  return residual === 0 ? 1 : 0
}

const regressionMetrics = (
  outputs: readonly string[],
  predictions: Float32Array,
  labels: Labels,
): SplitMetrics => {
  const size = outputs.length
  const samples = labels.length
  const perOutput = outputs.map((name, index) => {
    const mean = ratio(
      labels.reduce((sum, label) => sum + (label[index] as number), 0),
      samples,
    )
    let absolute = 0
    let residual = 0
    let total = 0
    for (const [row, label] of labels.entries()) {
      const actual = label[index] as number
      const error = (predictions[row * size + index] as number) - actual
      absolute += Math.abs(error)
      residual += error * error
      total += (actual - mean) ** 2
    }
    const isConstant = labels.every((label) => label[index] === labels[0]?.[index])
    const rmse = Math.sqrt(ratio(residual, samples))
    return { name, mae: ratio(absolute, samples), rmse, r2: r2Of(residual, total, isConstant) }
  })
  const meanOf = (pick: (output: (typeof perOutput)[number]) => number): number =>
    ratio(
      perOutput.reduce((sum, output) => sum + pick(output), 0),
      size,
    )
  return {
    kind: 'regression',
    samples,
    loss: meanOf(({ rmse }) => rmse * rmse),
    mae: meanOf(({ mae }) => mae),
    rmse: meanOf(({ rmse }) => rmse),
    r2: meanOf(({ r2 }) => r2),
    perOutput,
  }
}

/**
 * Metrics of one split. The loss is the plain one: cross entropy (single), mean binary cross entropy
 * over the classes (multi), mean squared error in the target's units (regression); no label
 * smoothing, class weights or L2, so that heads trained with different settings compare.
 *
 * @param predictions [labels.length, units] row-major: probabilities or values.
 */
export const metricsOf = (
  target: Target,
  predictions: Float32Array,
  labels: Labels,
): SplitMetrics => {
  switch (target.kind) {
    case 'single':
      return singleMetrics(target.classes, predictions, labels)
    case 'multi':
      return multiMetrics(target.classes, predictions, labels)
    case 'regression':
      return regressionMetrics(target.outputs, predictions, labels)
    default:
      return target satisfies never
  }
}

/** The one number of a split, larger is better: accuracy, macro F1 (multi) or R2 (regression). */
export const scoreOf = (metrics: SplitMetrics): number => {
  switch (metrics.kind) {
    case 'single':
      return metrics.accuracy
    case 'multi':
      return metrics.macroF1
    case 'regression':
      return metrics.r2
    default:
      return metrics satisfies never
  }
}
