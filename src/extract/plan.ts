// Owns what an extraction consists of: which shards there must be, and the feature set that they make.
import { type ExtractorSpec, extractorIdOfSpec, extractorKey } from '../extractor/spec.js'
import { planShards, shardRowsOf } from '../features/chunk.js'
import type { FeatureSet } from '../features/feature-set.js'
import { widthOf } from '../features/shard.js'
import { shardStoreKey } from '../features/shard-name.js'
import { canonicalJson } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import { featureSetIdOf } from '../identity/ids.js'
import type { Store } from '../store/port.js'
import type { Certified } from './certify.js'
import type { PlannedShard } from './column.js'

/**
 * The shards that hold these samples, in key order.
 *
 * @param keys sorted unique sample keys.
 * @param shardRows target rows, a power of two; default: by the width of the features.
 */
export const planExtraction = (
  spec: ExtractorSpec,
  keys: readonly Sha256[],
  shardRows: number = shardRowsOf(widthOf(spec.featureShape)),
): PlannedShard[] => {
  const extractorId = extractorIdOfSpec(spec)
  return planShards(keys, shardRows).map((shardKeys) => ({
    keys: shardKeys,
    storeKey: shardStoreKey(extractorId, shardKeys),
  }))
}

/** Makes the extractor known to the store, so that an id is enough to ask for it. */
export const saveExtractor = async (store: Store, spec: ExtractorSpec): Promise<void> => {
  const key = extractorKey(extractorIdOfSpec(spec))
  await store.putIfAbsent(key, Buffer.from(canonicalJson(spec)))
}

/** @param shards all of the plan, in its order. */
export const featureSetOf = (
  spec: ExtractorSpec,
  contentId: Sha256,
  shards: readonly Certified[],
): FeatureSet => {
  const extractorId = extractorIdOfSpec(spec)
  return {
    version: 1,
    featureSetId: featureSetIdOf(extractorId, contentId),
    extractorId,
    contentId,
    featureShape: spec.featureShape,
    rows: shards.reduce((sum, { rows }) => sum + rows, 0),
    shards: shards.map(({ key, rows, bytes, sha256 }) => ({ key, rows, bytes, sha256 })),
    quarantine: shards.flatMap(({ quarantine }) => quarantine),
  }
}
