// Owns the feature set: the certificate that all shards of one extractor for one dataset are there,
// with the length and SHA-256 of each. Written last. Knows no labels and no engine.
import { z } from 'zod'
import { isHeadstartError } from '../errors.js'
import { type Sha256, sha256 } from '../identity/hash.js'
import { encodeJson, getJson, putJson } from '../store/json.js'
import type { Store, StoreKey } from '../store/port.js'
import { decodeShard } from './arrow.js'
import { quarantinedSchema, type Shard, sha256Schema } from './shard.js'
import { assertShardIdentity, corruptShard } from './shard-check.js'

export const featureSetSchema = z.strictObject({
  version: z.literal(1),
  featureSetId: sha256Schema,
  extractorId: sha256Schema,
  contentId: sha256Schema,
  featureShape: z.array(z.int().positive()),
  /** Rows of all shards together; quarantined samples are not among them. */
  rows: z.int().nonnegative(),
  shards: z.array(
    z.strictObject({
      key: z.string(),
      rows: z.int().nonnegative(),
      bytes: z.int().positive(),
      sha256: sha256Schema,
    }),
  ),
  quarantine: z.array(quarantinedSchema),
})
export type FeatureSet = z.infer<typeof featureSetSchema>
export type FeatureSetShard = FeatureSet['shards'][number]

export const featureSetKey = (featureSetId: Sha256): StoreKey => `feature-sets/${featureSetId}.json`

/** @throws STORE_CORRUPT when the certificate cannot be read. */
export const loadFeatureSet = (store: Store, id: Sha256): Promise<FeatureSet | null> =>
  getJson(store, featureSetKey(id), featureSetSchema)

/**
 * Writes the certificate. One that names other bytes is replaced: the caller has just looked at
 * every shard, so the newer certificate is the true one.
 */
export const saveFeatureSet = async (store: Store, featureSet: FeatureSet): Promise<void> => {
  const key = featureSetKey(featureSet.featureSetId)
  try {
    await putJson(store, key, featureSet)
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
    const seen = await store.head(key)
    await store.replace(key, encodeJson(featureSet), seen?.version ?? null)
  }
}

/**
 * One shard, checked against its certificate before it is parsed.
 *
 * @throws FEATURES_CORRUPT (details: the store key) when it is missing or has other bytes.
 */
export const loadShard = async (store: Store, shard: FeatureSetShard): Promise<Shard> => {
  let bytes: Uint8Array | null
  try {
    bytes = await store.get(shard.key)
  } catch (error) {
    if (isHeadstartError(error, 'STORE_CORRUPT'))
      throw corruptShard(shard.key, 'does not have the bytes that were written', error)
    throw error
  }
  if (bytes === null) throw corruptShard(shard.key, 'is missing')
  if (bytes.length !== shard.bytes || sha256(bytes) !== shard.sha256)
    throw corruptShard(shard.key, 'is not the one that its feature set names')
  const decoded = decodeShard(bytes)
  assertShardIdentity(shard.key, decoded)
  return decoded
}
