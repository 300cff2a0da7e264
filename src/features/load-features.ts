// Owns loading one feature set whole, for those who want plain arrays.
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import type { FeatureSet } from './feature-set.js'
import { openFeatures } from './open-features.js'
import type { ShardMetadata } from './shard.js'

export interface FeatureBlock {
  /** Sorted. */
  readonly keys: readonly Sha256[]
  /** [keys.length, width] row-major. */
  readonly values: Float32Array
  readonly width: number
  readonly shards: readonly ShardMetadata[]
}

/**
 * All features of a set in one block, in key order, however large it is.
 *
 * @throws FEATURES_CORRUPT, FEATURES_MISMATCH, and the errors of the store.
 */
export const loadFeatures = async (store: Store, set: FeatureSet): Promise<FeatureBlock> => {
  const budgetBytes = Number.POSITIVE_INFINITY
  const { source, keys, shards } = await openFeatures(store, [set], { budgetBytes })
  const { width, resident } = source
  return { keys, values: resident?.[0] ?? new Float32Array(0), width, shards }
}
