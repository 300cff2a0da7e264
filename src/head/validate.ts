// Owns what a training refuses before it starts: data that contradicts itself, settings that cannot apply.
import type { Split, Target } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { HeadSpec } from './spec.js'
import type { TrainingData } from './types.js'

const MAX_FAULTS = 20

const labelFault = (data: TrainingData, label: readonly number[]): string | null => {
  const { target } = data
  if (target.kind === 'regression') {
    if (label.length !== target.outputs.length) {
      return `${label.length} values for ${target.outputs.length} outputs`
    }
    return label.every((value) => Number.isFinite(value)) ? null : `a value that is not finite`
  }
  const { length } = target.classes
  if (target.kind === 'single' && label.length !== 1) return `${label.length} classes, not one`
  const bad = label.find((index) => !Number.isInteger(index) || index < 0 || index >= length)
  if (bad !== undefined) return `class ${bad}; there are ${length} classes`
  return new Set(label).size === label.length ? null : 'a class twice'
}

const dataFaults = (data: TrainingData): string[] => {
  const { rows, width, featureShape, features, labels, splits } = data
  const faults: string[] = []
  const product = featureShape.reduce((total, size) => total * size, 1)
  if (!Number.isInteger(width) || width < 1) faults.push(`the features have width ${width}`)
  if (product !== width)
    faults.push(`feature shape [${featureShape}] does not have ${width} values`)
  if (features.viewCount === 0) faults.push('there are no features')
  if (features.rows !== rows || features.width !== width)
    faults.push(`the features are ${features.rows} x ${features.width}, not ${rows} x ${width}`)
  for (const [index, view] of (features.resident ?? []).entries()) {
    if (view.length !== rows * width) {
      faults.push(`view ${index} has ${view.length} values, not ${rows} x ${width}`)
    }
  }
  if (labels.length !== rows) faults.push(`${labels.length} labels for ${rows} rows`)
  if (splits.length !== rows) faults.push(`${splits.length} splits for ${rows} rows`)
  for (const [row, label] of labels.entries()) {
    const fault = labelFault(data, label)
    if (fault !== null) faults.push(`the label of row ${row} has ${fault}`)
    if (faults.length >= MAX_FAULTS) break
  }
  return faults
}

const classFaults = ({ labelSmoothing, classWeights }: HeadSpec, target: Target): string[] => {
  const faults: string[] = []
  if (target.kind === 'regression') {
    if (labelSmoothing > 0) faults.push('labelSmoothing is for classes, not for regression')
    if (classWeights !== 'none') faults.push('classWeights are for classes, not for regression')
  } else if (typeof classWeights === 'object') {
    const known = new Set(target.classes)
    for (const name of Object.keys(classWeights)) {
      if (!known.has(name)) faults.push(`classWeights names the unknown class "${name}"`)
    }
  }
  return faults
}

/** What is known to be wrong before there is a feature: the task, the splits, settings that cannot apply. */
export const taskFaults = (request: {
  readonly spec: HeadSpec
  readonly target: Target
  /** Splits that have samples. */
  readonly splits: ReadonlySet<Split>
}): string[] => {
  const { spec, target, splits } = request
  const faults: string[] = []
  if (!splits.has('train')) faults.push('the train split has no sample')
  const units = target.kind === 'regression' ? target.outputs.length : target.classes.length
  const least = target.kind === 'single' ? 2 : 1
  if (units < least)
    faults.push(`the task has ${units} classes or outputs, at least ${least} needed`)
  if (spec.earlyStopping !== null && !splits.has('validation')) {
    faults.push('earlyStopping needs a validation split with samples')
  }
  return [...faults, ...classFaults(spec, target)]
}

/** HEAD_INVALID with every fault. */
export const untrainable = (faults: readonly string[], cause?: unknown): HeadstartError =>
  new HeadstartError('HEAD_INVALID', `the head cannot be trained: ${faults[0]}`, {
    details: faults,
    cause,
  })

/** @throws HEAD_INVALID with every fault. */
export const assertTrainable = (spec: HeadSpec, data: TrainingData): void => {
  const splits = new Set(data.splits)
  const faults = [...dataFaults(data), ...taskFaults({ spec, target: data.target, splits })]
  if (faults.length > 0) throw untrainable(faults)
}
