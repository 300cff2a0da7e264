// Owns the objectives of many linear heads at one point each, in one pass over the features: one product
// for all logits, one for all gradients, block by block.
import { assertNotAborted } from '../../errors.js'
import type { TrainingData } from '../types.js'
import { yieldToLoop } from '../yield-to-loop.js'
import type { Evaluation } from './lbfgs.js'
import type { Products } from './products.js'
import { type Objective, rowLossOf } from './row-losses.js'
import { createTotals, resultOf, type Totals } from './totals.js'

/** Logits of a block: 4 MiB stay in the caches between the two products. */
const BLOCK_LOGITS = 2 ** 20
const MAX_BLOCK_ROWS = 8192

/** One head at one point. */
export interface Trial {
  readonly objective: Objective
  /** Views that are trained on, view 0 among them. */
  readonly views: number
  readonly l2: number
  /** Kernel [width, units] row-major, then bias [units]. */
  readonly point: Float64Array
}

export interface TrialResult extends Evaluation {
  /** Plain losses and scores on view 0; null of a split without rows. */
  readonly train: ReturnType<typeof resultOf>
  readonly validation: ReturnType<typeof resultOf>
}

/** What a pass adds up for one head. */
interface Sums {
  loss: number
  readonly gradient: Float64Array
  readonly train: Totals
  readonly validation: Totals
}

/** A row that is trained on or measured. */
interface RowOfView {
  readonly label: readonly number[]
  readonly isTrain: boolean
  readonly view: number
}

/** All kernels side by side, [width, heads * units], and all biases. */
const pack = (trials: readonly Trial[], width: number, units: number) => {
  const columns = trials.length * units
  const kernels = new Float32Array(width * columns)
  const biases = new Float32Array(columns)
  for (const [index, { point }] of trials.entries()) {
    for (let row = 0; row < width; row += 1) {
      kernels.set(point.subarray(row * units, (row + 1) * units), row * columns + index * units)
    }
    biases.set(point.subarray(width * units), index * units)
  }
  return { kernels: { values: kernels, rows: width, columns }, biases }
}

/** Adds the gradient of one block's kernels, [width, heads * units], to the sums of each head. */
const addKernels = (block: Float32Array, sums: readonly Sums[], width: number, units: number) => {
  const columns = sums.length * units
  for (const [index, { gradient }] of sums.entries()) {
    for (let row = 0; row < width; row += 1) {
      const from = row * columns + index * units
      for (let unit = 0; unit < units; unit += 1) {
        const to = row * units + unit
        gradient[to] = (gradient[to] as number) + (block[from + unit] as number)
      }
    }
  }
}

/** Adds l2 * sum(w^2) over the kernel. */
const regularise = (sums: Sums, { l2, point }: Trial, kernelSize: number): void => {
  if (l2 === 0) return
  let squares = 0
  for (let index = 0; index < kernelSize; index += 1) {
    const value = point[index] as number
    squares += value * value
    sums.gradient[index] = (sums.gradient[index] as number) + 2 * l2 * value
  }
  sums.loss += l2 * squares
}

/**
 * Mean loss over the train rows of each trial's views plus its l2 term, with gradients. Points are
 * rounded to float32; logits and gradients of a block are float32, sums over rows and blocks float64.
 * The same trials in the same order give the same bits on one machine.
 *
 * @param trials one or more, with the units of the data's target.
 * @throws INTERRUPTED, and the errors of FeatureSource.read.
 */
export const evaluateTogether = async (request: {
  readonly data: TrainingData
  readonly trials: readonly Trial[]
  readonly products: Products
  readonly signal?: AbortSignal | undefined
}): Promise<TrialResult[]> => {
  const { data, trials, products, signal } = request
  const { width, target, features, splits, labels } = data
  const units = (trials[0] as Trial).objective.targets.units
  const columns = trials.length * units
  const { kernels, biases } = pack(trials, width, units)
  const sums = trials.map(
    (): Sums => ({
      loss: 0,
      gradient: new Float64Array((width + 1) * units),
      train: createTotals(units),
      validation: createTotals(units),
    }),
  )
  const trainRows = splits.reduce((count, split) => count + (split === 'train' ? 1 : 0), 0)
  const rowLoss = rowLossOf(target)
  const pause = yieldToLoop()
  const blockRows = Math.max(1, Math.min(MAX_BLOCK_ROWS, Math.floor(BLOCK_LOGITS / columns)))
  const buffer = new Float32Array(blockRows * columns)
  const kernelGradients = new Float32Array(width * columns)

  /** Logits of a row, for one head, to the gradient of what the row adds to its objective. */
  const takeHead = (logits: Float32Array, offset: number, index: number, at: RowOfView): void => {
    const { objective, views } = trials[index] as Trial
    const own = sums[index] as Sums
    const totals = at.view > 0 ? null : at.isTrain ? own.train : own.validation
    const isTrained = at.isTrain && at.view < views
    const factor = isTrained ? 1 / (trainRows * views) : 0
    const loss = rowLoss(objective, at.label, logits, offset, factor, totals)
    if (!isTrained) {
      logits.fill(0, offset, offset + units)
      return
    }
    own.loss += loss * factor
    for (let unit = 0; unit < units; unit += 1) {
      const bias = width * units + unit
      own.gradient[bias] = (own.gradient[bias] as number) + (logits[offset + unit] as number)
    }
  }

  const takeRow = (logits: Float32Array, begin: number, row: number, view: number): void => {
    const isTrain = splits[row] === 'train'
    if (!isTrain && !(view === 0 && splits[row] === 'validation')) {
      logits.fill(0, begin, begin + columns)
      return
    }
    const at = { label: labels[row] as readonly number[], isTrain, view }
    for (let index = 0; index < trials.length; index += 1)
      takeHead(logits, begin + index * units, index, at)
  }

  /** Rows [begin, begin + rows) of the data in one view. */
  const takeBlock = async (values: Float32Array, begin: number, view: number): Promise<void> => {
    assertNotAborted(signal)
    const rows = values.length / width
    const block = { values, rows, columns: width }
    const logits = buffer.subarray(0, rows * columns)
    await products.affine(block, kernels, biases, logits)
    for (let row = 0; row < rows; row += 1) takeRow(logits, row * columns, begin + row, view)
    await products.transposed(block, { values: logits, rows, columns }, kernelGradients)
    addKernels(kernelGradients, sums, width, units)
    await pause()
  }

  const viewCount = Math.max(...trials.map(({ views }) => views))
  for await (const { chunk, views } of features.read(features.chunks.keys(), viewCount)) {
    for (const [view, values] of views.entries()) {
      for (let from = chunk.begin; from < chunk.end; from += blockRows) {
        const to = Math.min(chunk.end, from + blockRows)
        const [first, last] = [from - chunk.begin, to - chunk.begin]
        await takeBlock(values.subarray(first * width, last * width), from, view)
      }
    }
  }
  return sums.map((own, index) => {
    regularise(own, trials[index] as Trial, width * units)
    const { loss, gradient, train, validation } = own
    return {
      loss,
      gradient,
      train: resultOf(train, target),
      validation: resultOf(validation, target),
    }
  })
}
