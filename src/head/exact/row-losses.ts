// Owns what one row of logits adds to the objective, and the gradient that takes the place of the logits.
// Pure but for its arguments; sums in float64. The formulas are those of losses.ts.
import type { Target } from '../../dataset/types.js'
import type { HeadSpec } from '../spec.js'
import type { StepTargets } from '../targets.js'
import { clippedLoss, type Totals } from './totals.js'

/** What a head's objective is made of beside the logits. */
export interface Objective {
  /** What a label that is not set is trained towards, and what is added for one that is. */
  readonly off: number
  readonly on: number
  readonly targets: StepTargets
}

export const objectiveOf = (spec: HeadSpec, target: Target, targets: StepTargets): Objective => {
  const share = target.kind === 'single' ? targets.units : 2
  return { off: spec.labelSmoothing / share, on: 1 - spec.labelSmoothing, targets }
}

/**
 * One row of one head. `logits` [offset, offset + units) become the gradient of the row's loss, times
 * `factor`. What is returned is the loss of the row, weighted as it is trained, not times `factor`.
 */
export type RowLoss = (
  objective: Objective,
  label: readonly number[],
  logits: Float32Array,
  offset: number,
  factor: number,
  totals: Totals | null,
) => number

const softmaxRow: RowLoss = (objective, label, logits, offset, factor, totals) => {
  const { off, on, targets } = objective
  const { units, classWeights } = targets
  const actual = label[0] as number
  const wanted = logits[offset + actual] as number
  let [largest, best, sum] = [logits[offset] as number, 0, 0]
  for (let unit = 0; unit < units; unit += 1) {
    const value = logits[offset + unit] as number
    sum += value
    if (value > largest) [largest, best] = [value, unit]
  }
  let exponentials = 0
  for (let unit = 0; unit < units; unit += 1) {
    const value = Math.exp((logits[offset + unit] as number) - largest)
    logits[offset + unit] = value
    exponentials += value
  }
  const logSum = Math.log(exponentials) + largest
  if (totals !== null) {
    totals.rows += 1
    totals.loss += clippedLoss(Math.exp(wanted - logSum))
    if (best === actual) totals.right += 1
  }
  const weight = classWeights[actual] as number
  const scale = weight * factor
  for (let unit = 0; unit < units; unit += 1) {
    const probability = (logits[offset + unit] as number) / exponentials
    logits[offset + unit] = scale * (probability - off - (unit === actual ? on : 0))
  }
  return weight * (logSum - off * sum - on * wanted)
}

const sigmoidRow: RowLoss = (objective, label, logits, offset, factor, totals) => {
  const { off, on, targets } = objective
  const { units, classWeights } = targets
  let loss = 0
  for (let unit = 0; unit < units; unit += 1) {
    const value = logits[offset + unit] as number
    const isSet = label.includes(unit)
    const wanted = isSet ? off + on : off
    const weight = classWeights[unit] as number
    // softplus(x) = max(x, 0) + log(1 + exp(-|x|))
    const small = Math.exp(-Math.abs(value))
    const tail = Math.log1p(small)
    const probability = value >= 0 ? 1 / (1 + small) : small / (1 + small)
    loss += (1 - wanted) * (Math.max(value, 0) + tail)
    loss += wanted * weight * (Math.max(-value, 0) + tail)
    const gradient = (1 - wanted) * probability - wanted * weight * (1 - probability)
    logits[offset + unit] = (gradient * factor) / units
    if (totals === null) continue
    const said = probability >= 0.5
    totals.loss += clippedLoss(isSet ? probability : 1 - probability)
    if (said) totals.said[unit] = (totals.said[unit] as number) + 1
    if (isSet) totals.actual[unit] = (totals.actual[unit] as number) + 1
    if (said && isSet) totals.both[unit] = (totals.both[unit] as number) + 1
  }
  if (totals !== null) totals.rows += 1
  return loss / units
}

const countValue = (totals: Totals, unit: number, value: number, error: number): void => {
  if (totals.rows === 0) totals.origin[unit] = value
  // Less the first value: squares of large values close to each other would cancel.
  const moved = value - (totals.origin[unit] as number)
  totals.loss += error * error
  totals.squaredErrors[unit] = (totals.squaredErrors[unit] as number) + error * error
  totals.values[unit] = (totals.values[unit] as number) + moved
  totals.squares[unit] = (totals.squares[unit] as number) + moved * moved
}

const squaredRow: RowLoss = ({ targets }, label, logits, offset, factor, totals) => {
  const { units, scale } = targets
  let loss = 0
  for (let unit = 0; unit < units; unit += 1) {
    const mean = scale?.mean[unit] ?? 0
    const deviation = scale?.deviation[unit] ?? 1
    const value = label[unit] as number
    const error = (logits[offset + unit] as number) - (value - mean) / deviation
    loss += error * error
    logits[offset + unit] = (2 * error * factor) / units
    if (totals !== null) countValue(totals, unit, value, error * deviation)
  }
  if (totals !== null) totals.rows += 1
  return loss / units
}

export const rowLossOf = (target: Target): RowLoss => {
  switch (target.kind) {
    case 'single':
      return softmaxRow
    case 'multi':
      return sigmoidRow
    case 'regression':
      return squaredRow
    default:
      return target satisfies never
  }
}
