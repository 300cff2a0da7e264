// Owns stage 1 as one function: what the store lacks is computed, and the feature set is written
// last. Knows no queue, no label and no command line.
import { extractorIdOfSpec } from '../extractor/spec.js'
import { type FeatureSet, saveFeatureSet } from '../features/feature-set.js'
import { contentIdOf, featureSetIdOf } from '../identity/ids.js'
import { type Certified, certifyExisting, findComplete } from './certify.js'
import { featureSetOf, planExtraction, saveExtractor } from './plan.js'
import { listShards } from './reuse.js'
import { type ComputeShardsRequest, computeShards, type PlannedShard } from './shards.js'

export type { ExtractionProgress } from './shards.js'

export interface ExtractionRequest extends ComputeShardsRequest {
  /** Target rows of a shard, a power of two. */
  readonly shardRows?: number
  /** Store keys of shards known to be damaged: they are removed and computed again. */
  readonly damaged?: readonly string[]
  /** Read every shard of a set that is complete by its records, and check its hash. Default false. */
  readonly deep?: boolean
}

export interface ExtractionResult {
  readonly featureSet: FeatureSet
  /** Samples that went through the base in this extraction, quarantined ones included. */
  readonly computed: number
  /** Samples whose rows were there already. */
  readonly reused: number
}

/**
 * Makes sure that the store holds the features of these samples, and certifies it.
 *
 * @throws INTERRUPTED, DATASET_CHANGED, ENGINE_FAILED, STORE_FULL: rows that were computed are kept.
 */
export const extract = async (request: ExtractionRequest): Promise<ExtractionResult> => {
  const { store, spec, keys, damaged = [] } = request
  const extractorId = extractorIdOfSpec(spec)
  const contentId = contentIdOf(keys)
  const featureSetId = featureSetIdOf(extractorId, contentId)
  for (const key of damaged) {
    request.onNotice?.(`damaged shard found, computing it again: ${key}`)
    await store.delete(key)
  }
  const complete = await findComplete(request, featureSetId, request.deep ?? false)
  if (complete !== null) return { featureSet: complete, computed: 0, reused: keys.length }

  await saveExtractor(store, spec)
  const stored = await listShards(store, extractorId)
  const storedKeys = new Set(stored.map(({ key }) => key))
  const certified = new Map<string, Certified>()
  const missing: PlannedShard[] = []
  const counted = { done: 0, computed: 0 }
  const planned = planExtraction(spec, keys, request.shardRows)
  for (const shard of planned) {
    const existing = storedKeys.has(shard.storeKey)
      ? await certifyExisting(request, shard.storeKey)
      : null
    if (existing === null) missing.push(shard)
    else {
      certified.set(shard.storeKey, existing)
      counted.done += shard.keys.length
    }
  }
  if (missing.length > 0)
    for (const [key, shard] of await computeShards(request, missing, stored, counted))
      certified.set(key, shard)

  const shards = planned.map(({ storeKey }) => certified.get(storeKey) as Certified)
  const featureSet = featureSetOf(spec, contentId, shards)
  await saveFeatureSet(store, featureSet)
  return { featureSet, computed: counted.computed, reused: keys.length - counted.computed }
}
