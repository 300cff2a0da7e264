// Owns what a step trains towards: label smoothing, class weights, standardised regression targets. Pure.
import type { HeadSpec } from './spec.js'
import type { TrainingData } from './types.js'

/** Mean and standard deviation of each regression output over the train split. */
export interface TargetScale {
  readonly mean: Float64Array
  readonly deviation: Float64Array
}

export interface StepTargets {
  readonly units: number
  /** single: weight of each class. multi: weight of a positive label of each class. */
  readonly classWeights: Float32Array
  /** Null unless regression targets are standardised. */
  readonly scale: TargetScale | null
  /** Fills targets [n, units] and sample weights [n] for rows [begin, end). */
  fill(
    rows: Uint32Array,
    begin: number,
    end: number,
    into: { readonly targets: Float32Array; readonly weights: Float32Array },
  ): void
}

/**
 * `balanced`: single, samples / (classes * samples of the class), as in scikit-learn; multi, negatives
 * / positives of the class, as PyTorch's pos_weight is meant. A class without samples weighs 1.
 */
const classWeightsOf = (spec: HeadSpec, data: TrainingData, rows: Uint32Array): Float32Array => {
  const { target } = data
  if (target.kind === 'regression') return new Float32Array(0)
  const { classWeights } = spec
  if (classWeights === 'none') return new Float32Array(target.classes.length).fill(1)
  if (typeof classWeights === 'object') {
    const given = new Map(Object.entries(classWeights))
    return Float32Array.from(target.classes, (name) => given.get(name) ?? 1)
  }
  const counts = new Float64Array(target.classes.length)
  for (const row of rows) {
    for (const index of data.labels[row] ?? []) counts[index] = (counts[index] ?? 0) + 1
  }
  const total = rows.length
  return Float32Array.from(counts, (count) => {
    if (count === 0 || (target.kind === 'multi' && count === total)) return 1
    return target.kind === 'single' ? total / (counts.length * count) : (total - count) / count
  })
}

const scaleOf = (data: TrainingData, rows: Uint32Array, units: number): TargetScale => {
  const mean = new Float64Array(units)
  const deviation = new Float64Array(units)
  for (let unit = 0; unit < units; unit += 1) {
    const values = Float64Array.from(rows, (row) => data.labels[row]?.[unit] as number)
    const average = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / values.length
    mean[unit] = average
    deviation[unit] = Math.sqrt(variance) || 1
  }
  return { mean, deviation }
}

/**
 * @param standardise regression targets: train towards (y - mean) / deviation. Without it a head whose
 *   targets are around 1000 spends its epochs moving the bias at the learning rate; `foldScale` puts
 *   the scale into the published weights.
 */
export const createStepTargets = (
  spec: HeadSpec,
  data: TrainingData,
  trainRows: Uint32Array,
  standardise: boolean,
): StepTargets => {
  const { target } = data
  const units = target.kind === 'regression' ? target.outputs.length : target.classes.length
  const classWeights = classWeightsOf(spec, data, trainRows)
  const scale = target.kind === 'regression' && standardise ? scaleOf(data, trainRows, units) : null
  const smoothing = spec.labelSmoothing
  const base = target.kind === 'single' ? smoothing / units : smoothing / 2
  const fillRow = (label: readonly number[], targets: Float32Array, offset: number): void => {
    if (target.kind === 'regression') {
      for (let unit = 0; unit < units; unit += 1) {
        const value = label[unit] as number
        targets[offset + unit] =
          scale === null
            ? value
            : (value - (scale.mean[unit] as number)) / (scale.deviation[unit] as number)
      }
      return
    }
    targets.fill(base, offset, offset + units)
    for (const index of label) targets[offset + index] = base + 1 - smoothing
  }
  return {
    units,
    classWeights,
    scale,
    fill: (rows, begin, end, { targets, weights }) => {
      for (let index = begin; index < end; index += 1) {
        const label = data.labels[rows[index] as number] as readonly number[]
        fillRow(label, targets, (index - begin) * units)
        weights[index - begin] =
          target.kind === 'single' ? (classWeights[label[0] as number] as number) : 1
      }
    },
  }
}

/** Standardised predictions [rows, units] to target units, in place. */
export const unscale = (predictions: Float32Array, scale: TargetScale): Float32Array => {
  const units = scale.mean.length
  for (let index = 0; index < predictions.length; index += 1) {
    const unit = index % units
    predictions[index] =
      (predictions[index] as number) * (scale.deviation[unit] as number) +
      (scale.mean[unit] as number)
  }
  return predictions
}

/** Puts the scale into the last dense layer: kernel [inputs, units] and bias [units], in place. */
export const foldScale = (kernel: Float32Array, bias: Float32Array, scale: TargetScale): void => {
  const units = scale.mean.length
  for (let index = 0; index < kernel.length; index += 1) {
    kernel[index] = (kernel[index] as number) * (scale.deviation[index % units] as number)
  }
  unscale(bias, scale)
}
