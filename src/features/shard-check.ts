// Owns the proof that a shard is what its name says: this extractor, exactly these samples.
import { HeadstartError } from '../errors.js'
import { shardKeyOf } from '../identity/ids.js'
import type { StoreKey } from '../store/port.js'
import type { Shard } from './shard.js'
import { parseShardStoreKey, shardPrefix } from './shard-name.js'

/** A shard that has to be computed again. */
export const corruptShard = (key: StoreKey, what: string, cause?: unknown): HeadstartError =>
  new HeadstartError('FEATURES_CORRUPT', `shard ${key} ${what}`, { cause, details: [key] })

/**
 * Rows and quarantined samples together must give the shard key of the name; rows must be sorted.
 *
 * @throws FEATURES_CORRUPT (details: the store key).
 */
export const assertShardIdentity = (storeKey: StoreKey, { metadata, keys }: Shard): void => {
  const lost = metadata.quarantine.map(({ key }) => key)
  const all = lost.length === 0 ? keys : [...keys, ...lost].sort()
  const shardKey = shardKeyOf(metadata.extractorId, all)
  const isNamed =
    storeKey.startsWith(shardPrefix(metadata.extractorId)) &&
    parseShardStoreKey(storeKey)?.shardKey === shardKey &&
    metadata.shardKey === shardKey
  const isSorted = keys.every((key, i) => i === 0 || (keys[i - 1] ?? '') < key)
  if (isNamed && isSorted) return
  throw corruptShard(storeKey, 'holds other samples than it says')
}
