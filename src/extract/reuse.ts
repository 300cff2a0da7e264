// Owns row reuse: where a needed shard is missing, rows are copied from older shards that overlap
// its key range, so that adding one image computes one image.
import { type ErrorCode, HeadstartError } from '../errors.js'
import { decodeShard } from '../features/arrow.js'
import { assertShardIdentity } from '../features/shard-check.js'
import { parseShardStoreKey, type ShardName, shardPrefix } from '../features/shard-name.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store, StoreKey } from '../store/port.js'
import type { ShardBuilder } from './shard-builder.js'

export interface StoredShard extends ShardName {
  readonly key: StoreKey
  readonly bytes: number
}

/**
 * Older shards read in vain for one new shard at most. The largest are read first, and each version
 * of a growing shard holds nearly all of the one before it, so one or two suffice.
 */
const MAX_READ_IN_VAIN = 16

/** Damaged, or written by a release that this one cannot read. */
const UNUSABLE: ReadonlySet<ErrorCode> = new Set([
  'STORE_CORRUPT',
  'FEATURES_CORRUPT',
  'FEATURES_MISMATCH',
])

/** All shards of an extractor that the store holds. */
export const listShards = async (store: Store, extractorId: Sha256): Promise<StoredShard[]> => {
  const shards: StoredShard[] = []
  for await (const { key, bytes } of store.list(shardPrefix(extractorId))) {
    const name = parseShardStoreKey(key)
    if (name !== null) shards.push({ ...name, key, bytes })
  }
  return shards
}

/**
 * Fills a builder from the shards that overlap its keys. Damaged shards are passed over.
 *
 * @param keys sorted sample keys of the builder.
 */
export const copyRows = async (
  store: Store,
  stored: readonly StoredShard[],
  keys: readonly Sha256[],
  builder: ShardBuilder,
): Promise<void> => {
  const [first, last] = [keys.at(0) ?? '', keys.at(-1) ?? '']
  const overlapping = stored
    .filter((shard) => shard.first <= last && shard.last >= first && shard.key !== builder.storeKey)
    .sort((a, b) => b.bytes - a.bytes)
  let inVain = 0
  for (const { key } of overlapping) {
    if (builder.remaining === 0 || inVain === MAX_READ_IN_VAIN) return
    try {
      const bytes = await store.get(key)
      if (bytes === null) continue
      const before = builder.remaining
      const shard = decodeShard(bytes)
      assertShardIdentity(key, shard)
      const { metadata, keys: rowKeys, values } = shard
      const width = rowKeys.length === 0 ? 0 : values.length / rowKeys.length
      rowKeys.forEach((rowKey, row) => {
        builder.setRow(rowKey, values.subarray(row * width, (row + 1) * width), 'copied')
      })
      for (const { key: sampleKey, reason } of metadata.quarantine)
        builder.setQuarantined(sampleKey, reason, 'copied')
      if (builder.remaining < before) builder.addEngines(metadata.engines)
      else inVain += 1
    } catch (error) {
      if (!(error instanceof HeadstartError) || !UNUSABLE.has(error.code)) throw error
    }
  }
}
