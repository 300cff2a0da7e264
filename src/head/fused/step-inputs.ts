// Owns what a step graph is given beside weights: features, targets, sample weights, dropout masks.
import { createRandom } from '../random.js'
import type { GroupOrder, StepBlock } from './host.js'
import type { FloatTensor, MakeTensor } from './onnxruntime.js'

/** Fills `mask` with 1 / (1 - rate) where a number is kept and 0 where it is dropped. */
const drawMask = (mask: Float32Array, rate: number, seed: number, step: number, layer: number) => {
  const random = createRandom(seed, 'dropout', step, layer)
  const limit = rate * 2 ** 32
  const kept = 1 / (1 - rate)
  for (let index = 0; index < mask.length; index += 1)
    mask[index] = random.uint32() < limit ? 0 : kept
}

/** Rows [begin, begin + count) of a block. */
interface Batch {
  readonly block: StepBlock
  readonly begin: number
  readonly count: number
}

/**
 * What a row of class c weighs for each head over what its mean divides by: the rows of the batch that
 * the head sees, times the outputs where the loss is a mean over them, too. [count, heads]
 */
const fillShares = (shares: Float32Array, { block, begin, count }: Batch, order: GroupOrder) => {
  const { graph, folds, classWeights } = order
  const { task, units } = graph
  const scale = task === 'single' ? 1 : task === 'multi' ? 1 / units : 2 / units
  const rowFolds = block.folds.subarray(begin, begin + count)
  const classes = block.classes.subarray(begin, begin + count)
  for (const [head, hidden] of folds.entries()) {
    const isHidden = (fold: number) => hidden >= 0 && fold === hidden
    const share = scale / (count - rowFolds.filter(isHidden).length)
    for (const [i, fold] of rowFolds.entries()) {
      const weight = task === 'single' ? classWeights[head * units + (classes[i] as number)] : 1
      shares[i * folds.length + head] = isHidden(fold) ? 0 : (weight as number) * share
    }
  }
}

export interface StepInputs {
  /** Tensors by their name in the graph; valid until the next call. @param step counts from 0. */
  at(batch: Batch, step: number): Record<string, FloatTensor>
}

/** @param scratch so many numbers that are free until the step has ended. */
export const createStepInputs = (
  order: GroupOrder,
  tensor: MakeTensor,
  scratch: (length: number) => Float32Array,
): StepInputs => {
  const { graph, layers, dropout, batchSize, seed } = order
  const { inputs: width, units } = graph
  const heads = order.specs.length
  const perHead = (values: Float32Array): FloatTensor => tensor(values.slice(), [1, heads, units])
  const fixed: Record<string, FloatTensor> = {
    slope: perHead(order.slope),
    offset: perHead(order.offset),
    ...(graph.task === 'multi' ? { positive: perHead(order.classWeights) } : {}),
  }
  // Copies: onnxruntime takes no shared memory.
  const y = new Float32Array(batchSize * units)
  const shares = new Float32Array(batchSize * heads)
  const hidden = dropout > 0 ? layers.slice(1).map(({ inputs }) => inputs) : []
  const masks = hidden.map((size) => new Float32Array(batchSize * size))

  const fillFeatures = ({ block, begin, count }: Batch, step: number): Float32Array => {
    const values = scratch(count * width)
    const features = block.features.subarray(begin * width, (begin + count) * width)
    if (dropout === 0) {
      values.set(features)
      return values
    }
    drawMask(values, dropout, seed, step, 0)
    for (let index = 0; index < values.length; index += 1)
      values[index] = (values[index] as number) * (features[index] as number)
    return values
  }

  return {
    at: (batch, step) => {
      const { block, begin, count } = batch
      y.set(block.targets.subarray(begin * units, (begin + count) * units))
      fillShares(shares, batch, order)
      const inputs: Record<string, FloatTensor> = {
        ...fixed,
        x: tensor(fillFeatures(batch, step), [count, width]),
        y: tensor(y.subarray(0, count * units), [count, 1, units]),
        share: tensor(shares.subarray(0, count * heads), [count, heads, 1]),
      }
      for (const [index, size] of hidden.entries()) {
        const mask = (masks[index] as Float32Array).subarray(0, count * size)
        drawMask(mask, dropout, seed, step, index + 1)
        inputs[`mask${index + 1}`] = tensor(mask, [1, count, size])
      }
      return inputs
    },
  }
}
