// Owns the look at shards in the store: which are whole, which are damaged, and committing new ones.
import { isHeadstartError } from '../errors.js'
import { decodeShard } from '../features/arrow.js'
import {
  type FeatureSet,
  type FeatureSetShard,
  featureSetKey,
  loadFeatureSet,
} from '../features/feature-set.js'
import type { Quarantined } from '../features/shard.js'
import { assertShardIdentity } from '../features/shard-check.js'
import { type Sha256, sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import type { ShardBuilder } from './shard-builder.js'

export interface CertifyTarget {
  readonly store: Store
  readonly onNotice?: (message: string) => void
}

/** A certificate that is damaged is removed: the shards are looked at and certified anew. */
const loadCertificate = async (
  { store, onNotice }: CertifyTarget,
  id: Sha256,
): Promise<FeatureSet | null> => {
  try {
    return await loadFeatureSet(store, id)
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CORRUPT')) throw error
    onNotice?.(`damaged feature set found by its hash, certifying its shards again: ${id}`)
    await store.delete(featureSetKey(id))
    return null
  }
}

/** A feature set whose every shard is in the store with the recorded length and hash. */
export const findComplete = async (
  target: CertifyTarget,
  id: Sha256,
): Promise<FeatureSet | null> => {
  const { store } = target
  const set = await loadCertificate(target, id)
  if (set === null) return null
  for (const shard of set.shards) {
    const info = await store.head(shard.key).catch((error: unknown) => {
      if (isHeadstartError(error, 'STORE_CORRUPT')) return null
      throw error
    })
    if (info === null || info.bytes !== shard.bytes || info.sha256 !== shard.sha256) return null
  }
  return set
}

export interface Certified extends FeatureSetShard {
  readonly quarantine: readonly Quarantined[]
}

/** Reads a shard that is there already; one that is damaged is removed and counts as missing. */
export const certifyExisting = async (
  target: CertifyTarget,
  storeKey: string,
): Promise<Certified | null> => {
  try {
    const bytes = await target.store.get(storeKey)
    if (bytes === null) return null
    const shard = decodeShard(bytes)
    assertShardIdentity(storeKey, shard)
    return {
      key: storeKey,
      rows: shard.keys.length,
      bytes: bytes.length,
      sha256: sha256(bytes),
      quarantine: shard.metadata.quarantine,
    }
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CORRUPT') && !isHeadstartError(error, 'FEATURES_CORRUPT'))
      throw error
    target.onNotice?.(`damaged shard found by its hash, computing it again: ${storeKey}`)
    await target.store.delete(storeKey)
    return null
  }
}

/** Writes the settled part of a shard. Where somebody else's bytes are there already, those count. */
export const commit = async (
  target: CertifyTarget,
  builder: ShardBuilder,
): Promise<Certified | null> => {
  const encoded = builder.encode()
  if (encoded === null) return null
  const { storeKey, bytes, rows, quarantine } = encoded
  try {
    await target.store.putIfAbsent(storeKey, bytes)
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CONFLICT') && !isHeadstartError(error, 'STORE_CORRUPT'))
      throw error
    const existing = await certifyExisting(target, storeKey)
    if (existing !== null) return existing
    await target.store.putIfAbsent(storeKey, bytes)
  }
  return { key: storeKey, rows, bytes: bytes.length, sha256: sha256(bytes), quarantine }
}
