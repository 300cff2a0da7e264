// Owns the batches of an epoch as blocks of several steps, so that a group keeps its weights in the cache
// while it takes them one after the other. Holds copies: a batch is valid until the next block is asked for.
import type { Batch } from '../batches.js'

/** One step's rows, for all groups of a pass. */
export interface StepBatch {
  readonly count: number
  /** [count] */
  readonly rows: Uint32Array
  /** [count, width] */
  readonly features: Float32Array
}

/** Features of one block, in numbers: 8 MiB. */
const BLOCK_VALUES = 2 ** 21

/** @param single no copy, one batch a block: for a pass of one group. */
export async function* batchBlocks(
  batches: AsyncIterable<Batch>,
  request: { readonly batchSize: number; readonly width: number; readonly single: boolean },
): AsyncGenerator<readonly StepBatch[]> {
  const { batchSize, width, single } = request
  if (single) {
    for await (const batch of batches) yield [batch]
    return
  }
  const steps = Math.max(1, Math.floor(BLOCK_VALUES / (batchSize * width)))
  const buffers: Float32Array[] = []
  let block: StepBatch[] = []
  for await (const { count, rows, features } of batches) {
    const buffer = buffers[block.length] ?? new Float32Array(batchSize * width)
    buffers[block.length] = buffer
    buffer.set(features)
    block.push({ count, rows: rows.slice(), features: buffer.subarray(0, count * width) })
    if (block.length < steps) continue
    yield block
    block = []
  }
  if (block.length > 0) yield block
}
