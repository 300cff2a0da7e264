// Owns what training together refuses before it starts. Every fault is named, up to a bound.
import { HeadstartError } from '../../errors.js'
import type { TrainingData } from '../types.js'
import { assertTrainable, taskFaults, untrainable } from '../validate.js'
import type { Folds, Halving, TogetherRequest } from './types.js'

const MAX_FAULTS = 20

const foldFaults = ({ count, of }: Folds, { rows, splits }: TrainingData): string[] => {
  if (!Number.isInteger(count) || count < 2 || count > 255)
    return [`${count} folds; 2 to 255 are possible`]
  if (of.length !== rows) return [`folds for ${of.length} rows, there are ${rows}`]
  const sizes = new Array<number>(count).fill(0)
  for (const [row, fold] of of.entries()) {
    if (splits[row] !== 'train') continue
    if (fold >= count) return [`row ${row} is in fold ${fold} of ${count}`]
    sizes[fold] = (sizes[fold] as number) + 1
  }
  const empty = sizes.indexOf(0)
  return empty < 0 ? [] : [`fold ${empty} has no train sample`]
}

const halvingFaults = ({ epochs, factor }: Halving, splits: ReadonlySet<string>): string[] => {
  const faults: string[] = []
  if (!Number.isInteger(epochs) || epochs < 1) faults.push(`halving after ${epochs} epochs`)
  if (!(factor > 1 && Number.isFinite(factor)))
    faults.push(`halving by a factor of ${factor}; it must be more than 1`)
  if (!splits.has('validation')) faults.push('halving needs a validation split with samples')
  return faults
}

/** @throws HEAD_INVALID with the faults in `details`. */
export const assertTogetherTrainable = (request: TogetherRequest): void => {
  const { data, heads, folds, halving } = request
  const [first] = heads
  if (first === undefined) throw new HeadstartError('HEAD_INVALID', 'there is no head to train')
  // The data once: it may have millions of rows, and there may be hundreds of heads.
  assertTrainable(first.spec, data)
  const splits = new Set(data.splits)
  const faults = [
    ...(folds ? foldFaults(folds, data) : []),
    ...(halving ? halvingFaults(halving, splits) : []),
  ]
  for (const [index, { spec, views }] of heads.entries()) {
    const own = taskFaults({ spec, target: data.target, splits })
    const { viewCount } = data.features
    if (!Number.isInteger(views) || views < 1 || views > viewCount)
      own.push(`${views} views; the features have ${viewCount}`)
    faults.push(...own.map((fault) => `head ${index}: ${fault}`))
    if (faults.length >= MAX_FAULTS) break
  }
  if (faults.length > 0) throw untrainable(faults.slice(0, MAX_FAULTS))
}
