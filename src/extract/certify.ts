// Owns the look at shards in the store: which are whole, which are damaged, and committing new ones.
import { isHeadstartError, messageOf } from '../errors.js'
import { decodeShard } from '../features/arrow.js'
import {
  type FeatureSet,
  type FeatureSetShard,
  featureSetKey,
  loadFeatureSet,
  loadShard,
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
export const loadCertificate = async (
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

/** Length and hash that the store recorded; the bytes are not read. */
const isRecorded = async (store: Store, shard: FeatureSetShard): Promise<boolean> => {
  try {
    const info = await store.head(shard.key)
    return info !== null && info.bytes === shard.bytes && info.sha256 === shard.sha256
  } catch (error) {
    if (isHeadstartError(error, 'STORE_CORRUPT')) return false
    throw error
  }
}

/** The bytes themselves, by their hash. */
const isReadable = async (store: Store, shard: FeatureSetShard): Promise<boolean> => {
  try {
    await loadShard(store, shard)
    return true
  } catch (error) {
    if (isHeadstartError(error, 'FEATURES_CORRUPT')) return false
    throw error
  }
}

/**
 * A feature set whose every shard is in the store as it was certified.
 *
 * @param deep read every shard and check its hash, instead of asking for the recorded one.
 */
export const findComplete = async (
  target: CertifyTarget,
  id: Sha256,
  deep: boolean,
): Promise<FeatureSet | null> => {
  const { store } = target
  const set = await loadCertificate(target, id)
  if (set === null) return null
  const isWhole = deep ? isReadable : isRecorded
  for (const shard of set.shards) if (!(await isWhole(store, shard))) return null
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
    target.onNotice?.(`damaged shard found, computing it again: ${storeKey} (${messageOf(error)})`)
    await target.store.delete(storeKey)
    return null
  }
}

export interface Committed extends Certified {
  /** Whether this call wrote it; otherwise it was there already. */
  readonly isNew: boolean
}

/** Writes the settled part of a shard. Where somebody else's bytes are there already, those count. */
export const commit = async (
  target: CertifyTarget,
  builder: ShardBuilder,
): Promise<Committed | null> => {
  const encoded = builder.encode()
  if (encoded === null) return null
  const { storeKey, bytes, rows, quarantine } = encoded
  const written = { key: storeKey, rows, bytes: bytes.length, sha256: sha256(bytes), quarantine }
  try {
    return { ...written, isNew: (await target.store.putIfAbsent(storeKey, bytes)) === 'created' }
  } catch (error) {
    if (!isHeadstartError(error, 'STORE_CONFLICT') && !isHeadstartError(error, 'STORE_CORRUPT'))
      throw error
    const existing = await certifyExisting(target, storeKey)
    if (existing !== null) return { ...existing, isNew: false }
    return { ...written, isNew: (await target.store.putIfAbsent(storeKey, bytes)) === 'created' }
  }
}
