// Owns the proof that a shard is what its name says: this extractor, exactly these samples.
import { HeadstartError } from '../errors.js'
import { shardKeyOf } from '../identity/ids.js'
import type { StoreKey } from '../store/port.js'
import type { Shard } from './shard.js'
import { parseShardStoreKey, shardPrefix } from './shard-name.js'

/**
 * Rows and quarantined samples together must give the shard key of the name; rows must be sorted.
 *
 * @throws FEATURES_CORRUPT (details: the store key).
 */
export const assertShardIdentity = (storeKey: StoreKey, { metadata, keys }: Shard): void => {
  const all = [...keys, ...metadata.quarantine.map(({ key }) => key)].sort()
  const shardKey = shardKeyOf(metadata.extractorId, all)
  const isNamed =
    storeKey.startsWith(shardPrefix(metadata.extractorId)) &&
    parseShardStoreKey(storeKey)?.shardKey === shardKey &&
    metadata.shardKey === shardKey
  const isSorted = keys.every((key, i) => i === 0 || (keys[i - 1] ?? '') < key)
  if (isNamed && isSorted) return
  throw new HeadstartError(
    'FEATURES_CORRUPT',
    `shard ${storeKey} holds other samples than it says`,
    {
      details: [storeKey],
    },
  )
}
