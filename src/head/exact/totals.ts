// Owns loss and score of one head on one split, summed up row by row: what metricsOf says of the same
// predictions, without keeping them.
import type { Target } from '../../dataset/types.js'
import type { EpochMetrics } from '../types.js'

/** Probabilities are clipped in reported losses, as metricsOf does. */
const CLIP = 1e-7

export const clippedLoss = (probability: number): number =>
  -Math.log(Math.min(Math.max(probability, CLIP), 1 - CLIP))

/** Sums over the rows of a split. Reset by making new ones. */
export interface Totals {
  rows: number
  loss: number
  /** single: rows whose largest value is the class. */
  right: number
  /** multi, a class: both said and true, said, true. */
  readonly both: Float64Array
  readonly said: Float64Array
  readonly actual: Float64Array
  /** regression, an output: squared errors, values and their squares, both less `origin`. */
  readonly squaredErrors: Float64Array
  readonly values: Float64Array
  readonly squares: Float64Array
  readonly origin: Float64Array
}

export const createTotals = (units: number): Totals => {
  const zeros = () => new Float64Array(units)
  return {
    ...{ rows: 0, loss: 0, right: 0 },
    ...{ both: zeros(), said: zeros(), actual: zeros() },
    ...{ squaredErrors: zeros(), values: zeros(), squares: zeros(), origin: zeros() },
  }
}

const at = (values: Float64Array, index: number): number => values[index] as number

const macroF1 = ({ both, said, actual }: Totals): number => {
  let [sum, present] = [0, 0]
  for (const [index, count] of both.entries()) {
    const occurs = at(said, index) + at(actual, index)
    if (occurs === 0) continue
    present += 1
    sum += (2 * count) / occurs
  }
  return present === 0 ? 0 : sum / present
}

/** R2 as metricsOf has it: of a constant output 1 if every value is met, else 0. */
const meanR2 = ({ squaredErrors, values, squares, rows }: Totals): number => {
  let sum = 0
  for (const [index, residual] of squaredErrors.entries()) {
    const total = at(squares, index) - at(values, index) ** 2 / rows
    if (total > 0) sum += 1 - residual / total
    else sum += residual === 0 ? 1 : 0
  }
  return sum / squaredErrors.length
}

/** Null of a split without rows. */
export const resultOf = (totals: Totals, target: Target): EpochMetrics['validation'] => {
  if (totals.rows === 0) return null
  switch (target.kind) {
    case 'single':
      return { loss: totals.loss / totals.rows, score: totals.right / totals.rows }
    case 'multi':
      return { loss: totals.loss / (totals.rows * target.classes.length), score: macroF1(totals) }
    case 'regression':
      return {
        loss: totals.loss / (totals.rows * target.outputs.length),
        score: meanR2(totals),
      }
    default:
      return target satisfies never
  }
}
