// Owns the names of shards in the store: they carry the first and last key, so that a listing of
// names is enough to find older shards that overlap a range of keys.
import type { Sha256 } from '../identity/hash.js'
import { shardKeyOf } from '../identity/ids.js'
import type { StoreKey } from '../store/port.js'

export interface ShardName {
  readonly first: Sha256
  readonly last: Sha256
  readonly shardKey: Sha256
}

const NAME = /^([0-9a-f]{64})-([0-9a-f]{64})-([0-9a-f]{64})\.arrow$/

export const shardPrefix = (extractorId: Sha256): string => `features/${extractorId}/`

/** The store key of the shard of these sorted sample keys (at least one). */
export const shardStoreKey = (extractorId: Sha256, keys: readonly Sha256[]): StoreKey => {
  const shardKey = shardKeyOf(extractorId, keys)
  return `${shardPrefix(extractorId)}${keys.at(0)}-${keys.at(-1)}-${shardKey}.arrow`
}

/** Reads a store key back; null when it is no shard's. */
export const parseShardStoreKey = (key: StoreKey): ShardName | null => {
  const match = NAME.exec(key.slice(key.lastIndexOf('/') + 1))
  if (match === null) return null
  const [, first, last, shardKey] = match
  return first && last && shardKey ? { first, last, shardKey } : null
}
