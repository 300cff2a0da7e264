// Owns how features are kept within a memory budget: all in memory, or streamed, and how many chunks
// at once. Pure. Refuses a budget that does not hold one chunk.
import { HeadstartError } from '../errors.js'
import type { FeaturePlan } from './plan-chunks.js'

/** Reads at the same time: the threads of Node's pool. */
const MOST_LOADERS = 4
/** In use, being read, and one more for chunks of uneven size. */
const MOST_CHUNKS = 3

export interface MemoryPlan {
  readonly kind: 'resident' | 'streamed'
  /** Shards that are read at once when all of them are looked at first. */
  readonly loaders: number
  /** streamed: chunks in memory at once. */
  readonly chunksInMemory: number
}

const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`

/** @throws FEATURES_TOO_LARGE. */
export const planMemory = (plan: FeaturePlan, budgetBytes: number): MemoryPlan => {
  const { rows, width, largestBytes } = plan
  const largest = Math.max(0, ...largestBytes)
  const block = largestBytes.length * rows * width * Float32Array.BYTES_PER_ELEMENT
  // Its buffer; what a store is asked for comes beside it.
  const loader = 2 * largest
  const loadersIn = (bytes: number) =>
    Math.max(1, Math.min(MOST_LOADERS, Math.floor(bytes / Math.max(1, loader))))
  if (block + loader <= budgetBytes)
    return { kind: 'resident', loaders: loadersIn(budgetBytes - block), chunksInMemory: 0 }
  const chunk = largestBytes.reduce((sum, bytes) => sum + bytes, 0)
  const allowed = Math.floor((budgetBytes - largest) / chunk)
  if (allowed < 1 || loader > budgetBytes)
    throw new HeadstartError(
      'FEATURES_TOO_LARGE',
      `one shard of these features takes ${inGigabytes(chunk + largest)} in ${largestBytes.length} view(s); ${inGigabytes(budgetBytes)} may be used`,
    )
  // Half of the budget is plenty; all of it only to read one chunk ahead.
  const comfortable = Math.min(MOST_CHUNKS, Math.floor(budgetBytes / 2 / chunk))
  const chunksInMemory = Math.max(comfortable, Math.min(2, allowed))
  return { kind: 'streamed', loaders: loadersIn(budgetBytes / 2), chunksInMemory }
}
