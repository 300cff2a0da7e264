// Owns what a step graph is given beside features and weights: targets, sample weights, dropout masks.
import { createRandom } from '../random.js'
import type { TrainingData } from '../types.js'
import type { StepBatch } from './batch-blocks.js'
import type { GroupPlan } from './groups.js'
import type { FloatTensor, MakeTensor } from './onnxruntime.js'
import type { CopyTargets, TaskTargets } from './task-targets.js'

/** Fills `mask` with 1 / (1 - rate) where a number is kept and 0 where it is dropped. */
const drawMask = (mask: Float32Array, rate: number, seed: number, step: number, layer: number) => {
  const random = createRandom(seed, 'dropout', step, layer)
  const limit = rate * 2 ** 32
  const kept = 1 / (1 - rate)
  for (let index = 0; index < mask.length; index += 1)
    mask[index] = random.uint32() < limit ? 0 : kept
}

/**
 * What a row of class c weighs in each training over what its mean divides by: the rows of the batch that
 * the training sees, times the outputs where the loss is a mean over them, too.
 */
const fillShares = (
  shares: Float32Array,
  batch: StepBatch,
  request: {
    readonly data: TrainingData
    readonly targets: TaskTargets
    readonly copies: GroupPlan['copies']
    readonly own: readonly CopyTargets[]
  },
): void => {
  const { data, targets, copies, own } = request
  const { kind } = data.target
  const scale = kind === 'single' ? 1 : kind === 'multi' ? 1 / targets.units : 2 / targets.units
  for (const [index, { fold }] of copies.entries()) {
    const { classWeights } = own[index] as CopyTargets
    let seen = 0
    for (let i = 0; i < batch.count; i += 1) {
      if (fold === null || targets.foldOf(batch.rows[i] as number) !== fold) seen += 1
    }
    for (let i = 0; i < batch.count; i += 1) {
      const row = batch.rows[i] as number
      const isSeen = fold === null || targets.foldOf(row) !== fold
      const weight =
        kind === 'single' ? (classWeights[data.labels[row]?.[0] as number] as number) : 1
      shares[i * copies.length + index] = isSeen ? (weight * scale) / seen : 0
    }
  }
}

export interface StepInputs {
  /** Tensors by their name in the graph; valid until the next call. @param step counts from 0. */
  at(batch: StepBatch, step: number): Record<string, FloatTensor>
}

export const createStepInputs = (request: {
  readonly data: TrainingData
  readonly targets: TaskTargets
  readonly plan: GroupPlan
  readonly batchSize: number
  readonly seed: number
  readonly tensor: MakeTensor
}): StepInputs => {
  const { data, targets, plan, batchSize, seed, tensor } = request
  const { copies, layers, dropout } = plan
  const { units } = targets
  const heads = copies.length
  const own = copies.map((copy) => targets.of(copy))
  const perHead = (pick: (of: CopyTargets) => Float32Array): FloatTensor => {
    const values = new Float32Array(heads * units)
    for (const [index, one] of own.entries()) values.set(pick(one), index * units)
    return tensor(values, [1, heads, units])
  }
  const fixed: Record<string, FloatTensor> = {
    slope: perHead(({ slope }) => slope),
    offset: perHead(({ offset }) => offset),
    ...(data.target.kind === 'multi' ? { positive: perHead((one) => one.classWeights) } : {}),
  }
  const y = new Float32Array(batchSize * units)
  const shares = new Float32Array(batchSize * heads)
  const hidden = dropout > 0 ? layers.slice(1).map(({ inputs }) => inputs) : []
  const masks = hidden.map((width) => new Float32Array(batchSize * width))
  const masked = dropout > 0 ? new Float32Array(batchSize * data.width) : null

  const featuresOf = ({ count, features }: StepBatch, step: number): Float32Array => {
    if (masked === null) return features
    const values = masked.subarray(0, count * data.width)
    drawMask(values, dropout, seed, step, 0)
    for (let index = 0; index < values.length; index += 1)
      values[index] = (values[index] as number) * (features[index] as number)
    return values
  }

  return {
    at: (batch, step) => {
      const { count, rows } = batch
      targets.fill(rows, count, y)
      fillShares(shares, batch, { data, targets, copies, own })
      const inputs: Record<string, FloatTensor> = {
        ...fixed,
        x: tensor(featuresOf(batch, step), [count, data.width]),
        y: tensor(y.subarray(0, count * units), [count, 1, units]),
        share: tensor(shares.subarray(0, count * heads), [count, heads, 1]),
      }
      for (const [index, width] of hidden.entries()) {
        const mask = (masks[index] as Float32Array).subarray(0, count * width)
        drawMask(mask, dropout, seed, step, index + 1)
        inputs[`mask${index + 1}`] = tensor(mask, [1, count, width])
      }
      return inputs
    },
  }
}
