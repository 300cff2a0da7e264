// Owns which rows make which step: order, views and the copy into one reused buffer. Pure.
import { createRandom, permutation } from './random.js'
import type { TrainingData } from './types.js'

/** The rows of a split, ascending. */
export const rowsOfSplit = (
  splits: TrainingData['splits'],
  split: TrainingData['splits'][number],
): Uint32Array => {
  const rows: number[] = []
  for (const [row, value] of splits.entries()) if (value === split) rows.push(row)
  return Uint32Array.from(rows)
}

/** What one epoch trains on, in order: a row and the view of that row. */
export interface EpochPlan {
  readonly rows: Uint32Array
  /** Empty when there is only view 0. */
  readonly views: Uint32Array
}

/**
 * The train rows in the order of an epoch, each with a view drawn anew. A function of
 * (rows, views, seed, epoch) alone: a resumed training needs no stored state.
 */
export const planEpoch = (
  trainRows: Uint32Array,
  viewCount: number,
  seed: number,
  epoch: number,
): EpochPlan => {
  const order = permutation(trainRows.length, createRandom(seed, 'order', epoch))
  const rows = order.map((index) => trainRows[index] as number)
  if (viewCount < 2) return { rows, views: new Uint32Array(0) }
  const random = createRandom(seed, 'views', epoch)
  return { rows, views: rows.map(() => random.below(viewCount)) }
}

/**
 * Copies rows [begin, end) of a plan into `buffer`, [end - begin, width] row-major.
 *
 * @returns the filled part of the buffer; valid until the next call.
 */
export const gatherRows = (
  data: Pick<TrainingData, 'views' | 'width'>,
  plan: EpochPlan,
  begin: number,
  end: number,
  buffer: Float32Array,
): Float32Array => {
  const { width } = data
  for (let index = begin; index < end; index += 1) {
    const block = data.views[plan.views[index] ?? 0] as Float32Array
    const from = (plan.rows[index] as number) * width
    buffer.set(block.subarray(from, from + width), (index - begin) * width)
  }
  return buffer.subarray(0, (end - begin) * width)
}
