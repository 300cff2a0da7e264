// Owns which rows make which step: order, views and the copy into reused buffers. The same for
// features in memory and streamed ones.
import type { Chunk, FeatureSource } from '../features/feature-source.js'
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

/** What is drawn for one chunk, in order: a row of the source and the view of that row. */
export interface ChunkPlan {
  readonly rows: Uint32Array
  /** Empty when there is only view 0. */
  readonly views: Uint32Array
}

/** Index of the first of ascending rows that is at least `row`. */
const firstAtLeast = (rows: Uint32Array, row: number): number => {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((rows[middle] as number) < row) low = middle + 1
    else high = middle
  }
  return low
}

/** Those of ascending rows that lie in a chunk. */
const rowsOfChunk = (rows: Uint32Array, { begin, end }: Chunk): Uint32Array =>
  rows.subarray(firstAtLeast(rows, begin), firstAtLeast(rows, end))

export interface EpochRequest {
  /** Rows to train on, ascending. */
  readonly rows: Uint32Array
  /** Views that are drawn from, view 0 among them. */
  readonly views: number
  readonly seed: number
  /** Counts from 1. */
  readonly epoch: number
}

/** The order of chunks in an epoch: a function of (chunks, seed, epoch) alone. */
export const chunkOrder = (
  { chunks }: Pick<FeatureSource, 'chunks'>,
  { seed, epoch }: Pick<EpochRequest, 'seed' | 'epoch'>,
): Uint32Array => permutation(chunks.length, createRandom(seed, 'chunks', epoch))

/**
 * The train rows of a chunk in the order of an epoch, each with a view drawn anew. A function of its
 * arguments alone: a resumed training needs no stored state. Chunks hold a uniform sample of all rows
 * (they are cut by content hash), so an order within chunks in a drawn order is a shuffle.
 */
export const planChunk = (chunk: Chunk, { rows, views, seed, epoch }: EpochRequest): ChunkPlan => {
  const inside = rowsOfChunk(rows, chunk)
  const order = permutation(inside.length, createRandom(seed, 'order', epoch, chunk.begin))
  const drawn = order.map((index) => inside[index] as number)
  if (views < 2) return { rows: drawn, views: new Uint32Array(0) }
  const random = createRandom(seed, 'views', epoch, chunk.begin)
  return { rows: drawn, views: drawn.map(() => random.below(views)) }
}

/** Valid until the next batch is asked for; features longer where there are several buffers. */
export interface Batch {
  readonly count: number
  /** [count], rows of the source. */
  readonly rows: Uint32Array
  /** [count, width] row-major. */
  readonly features: Float32Array
}

/** Copies rows chunk by chunk into batches of `size`; the last one may be smaller. */
async function* gather(
  source: FeatureSource,
  request: {
    readonly order: Iterable<number>
    readonly views: number
    readonly size: number
    readonly plan: (chunk: Chunk) => ChunkPlan
    /** Of `size` rows each, used in turn. */
    readonly buffers: readonly Float32Array[] | undefined
  },
): AsyncGenerator<Batch> {
  const { order, views, size, plan } = request
  const { width } = source
  const buffers = request.buffers ?? [new Float32Array(size * width)]
  let features = buffers[0] as Float32Array
  const rows = new Uint32Array(size)
  let [count, batches] = [0, 0]
  for await (const loaded of source.read(order, views)) {
    const drawn = plan(loaded.chunk)
    for (let index = 0; index < drawn.rows.length; index += 1) {
      const row = drawn.rows[index] as number
      const block = loaded.views[drawn.views[index] ?? 0] as Float32Array
      const from = (row - loaded.chunk.begin) * width
      features.set(block.subarray(from, from + width), count * width)
      rows[count] = row
      count += 1
      if (count < size) continue
      yield { count, rows, features }
      count = 0
      batches += 1
      features = buffers[batches % buffers.length] as Float32Array
    }
  }
  if (count > 0)
    yield { count, rows: rows.subarray(0, count), features: features.subarray(0, count * width) }
}

/**
 * One epoch in batches of `size` rows.
 *
 * @param buffers for the features, used in turn; without, one that is filled again for each batch.
 * @throws the errors of FeatureSource.read.
 */
export const epochBatches = (
  source: FeatureSource,
  request: EpochRequest,
  size: number,
  buffers?: readonly Float32Array[],
): AsyncGenerator<Batch> =>
  gather(source, {
    order: chunkOrder(source, request),
    views: request.views,
    buffers,
    size: Math.max(1, Math.min(size, request.rows.length)),
    plan: (chunk) => planChunk(chunk, request),
  })

/** Rows of view 0 in ascending order, in batches of `size`. See epochBatches. */
export const plainBatches = (
  source: FeatureSource,
  rows: Uint32Array,
  size: number,
  buffers?: readonly Float32Array[],
): AsyncGenerator<Batch> =>
  gather(source, {
    buffers,
    order: source.chunks.flatMap((chunk, index) =>
      rowsOfChunk(rows, chunk).length > 0 ? [index] : [],
    ),
    views: 1,
    size: Math.max(1, Math.min(size, rows.length)),
    plan: (chunk) => ({ rows: rowsOfChunk(rows, chunk), views: new Uint32Array(0) }),
  })
