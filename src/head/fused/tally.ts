// Owns loss and score of many heads from their predictions in one walk over them: what metrics.ts says,
// without tables that nobody reads after an epoch. Pure; sums in float64.
import type { Target } from '../../dataset/types.js'
import { logOf, macroF1, r2Of } from '../metrics.js'
import type { TargetScale } from '../targets.js'

type Labels = readonly (readonly number[])[]

/** Rows on which heads are measured, and what of them does not depend on a head. */
export interface MeasuredSet {
  readonly samples: number
  /** multi: rows that have each class. */
  readonly support: Float64Array
  /** regression: sum of squares around the mean of each output, and whether it is constant. */
  readonly totals: Float64Array
  readonly constant: readonly boolean[]
}

export const measuredSet = (target: Target, labels: Labels): MeasuredSet => {
  const units = target.kind === 'regression' ? target.outputs.length : target.classes.length
  const support = new Float64Array(units)
  const totals = new Float64Array(units)
  const constant = new Array<boolean>(units).fill(true)
  if (target.kind === 'multi') {
    for (const label of labels)
      for (const index of label) support[index] = (support[index] ?? 0) + 1
  }
  if (target.kind === 'regression') {
    for (let unit = 0; unit < units; unit += 1) {
      const values = labels.map((label) => label[unit] as number)
      const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
      totals[unit] = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
      constant[unit] = values.every((value) => value === values[0])
    }
  }
  return { samples: labels.length, support, totals, constant }
}

/** What one head has on one set so far. */
export interface Tally {
  readonly set: MeasuredSet
  loss: number
  right: number
  /** multi: how often each class was said, and said rightly. regression: squared residuals. */
  readonly predicted: Float64Array
  readonly truePositive: Float64Array
  readonly residual: Float64Array
}

export const createTally = (set: MeasuredSet): Tally => ({
  set,
  loss: 0,
  right: 0,
  predicted: new Float64Array(set.support.length),
  truePositive: new Float64Array(set.support.length),
  residual: new Float64Array(set.totals.length),
})

/** Whether `at` is the first largest of `units` values. */
const isFirstLargest = (
  values: Float32Array,
  offset: number,
  units: number,
  at: number,
): boolean => {
  const value = values[offset + at] as number
  for (let unit = 0; unit < at; unit += 1) {
    if ((values[offset + unit] as number) >= value) return false
  }
  for (let unit = at + 1; unit < units; unit += 1) {
    if ((values[offset + unit] as number) > value) return false
  }
  return true
}

const addMulti = (
  tally: Tally,
  values: Float32Array,
  offset: number,
  label: readonly number[],
): void => {
  const { predicted, truePositive } = tally
  for (let unit = 0; unit < predicted.length; unit += 1) {
    const p = values[offset + unit] as number
    const is = label.includes(unit)
    tally.loss -= logOf(is ? p : 1 - p)
    if (!(p >= 0.5)) continue
    predicted[unit] = (predicted[unit] as number) + 1
    if (is) truePositive[unit] = (truePositive[unit] as number) + 1
  }
}

/** Takes in the prediction of one row. @param values probabilities, or values of standardised targets. */
export const addRow = (
  tally: Tally,
  kind: Target['kind'],
  values: Float32Array,
  offset: number,
  label: readonly number[],
  scale: TargetScale | null,
): void => {
  if (kind === 'single') {
    const actual = label[0] as number
    tally.loss -= logOf(values[offset + actual] as number)
    if (isFirstLargest(values, offset, tally.set.support.length, actual)) tally.right += 1
    return
  }
  if (kind === 'multi') {
    addMulti(tally, values, offset, label)
    return
  }
  const { residual } = tally
  for (let unit = 0; unit < residual.length; unit += 1) {
    const value = values[offset + unit] as number
    const deviation = scale?.deviation[unit] ?? 1
    const error = value * deviation + (scale?.mean[unit] ?? 0) - (label[unit] as number)
    residual[unit] = (residual[unit] as number) + error * error
  }
}

/** Loss and score; null on a set without rows. */
export const finishTally = (
  { set, loss, right, predicted, truePositive, residual }: Tally,
  kind: Target['kind'],
): { readonly loss: number; readonly score: number } | null => {
  const { samples, support, totals, constant } = set
  if (samples === 0) return null
  if (kind === 'single') return { loss: loss / samples, score: right / samples }
  if (kind === 'multi') {
    const counts = Array.from(support, (count, unit) => ({
      truePositive: truePositive[unit] as number,
      predicted: predicted[unit] as number,
      support: count,
    }))
    return { loss: loss / (samples * support.length), score: macroF1(counts) }
  }
  const units = residual.length
  const squares = residual.reduce((sum, value) => sum + value, 0)
  const scores = Array.from(residual, (value, unit) =>
    r2Of(value, totals[unit] as number, constant[unit] as boolean),
  )
  const score = scores.reduce((sum, value) => sum + value, 0) / units
  return { loss: squares / (samples * units), score }
}
