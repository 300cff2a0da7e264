// Owns which samples share a shard: a pure function of the sorted sample keys (content-defined
// chunking), so that adding, removing or replacing one sample touches one shard.
import type { Sha256 } from '../identity/hash.js'

/** Target rows of a shard; 2048 x 1280 float32 are 10 MB. */
export const DEFAULT_SHARD_ROWS = 2048

/** Wide features (a cut without pooling) get fewer rows a shard: it has to fit in memory eight times over. */
const TARGET_SHARD_BYTES = 16 * 2 ** 20

/** Target rows of a shard for features of this width: the power of two that keeps it near 16 MiB at most. */
export const shardRowsOf = (width: number): number => {
  const fitting = Math.floor(Math.log2(TARGET_SHARD_BYTES / (4 * width)))
  return Math.min(DEFAULT_SHARD_ROWS, 2 ** Math.max(0, fitting))
}

/** A shard ends at this multiple of the target at the latest. */
const MAX_SHARD_FACTOR = 8

const isBoundary = (key: Sha256, shardRows: number): boolean =>
  (Number.parseInt(key.slice(-8), 16) & (shardRows - 1)) === 0

/**
 * Cuts sorted unique keys into shards. A shard ends after a key whose lowest log2(shardRows) bits
 * are zero, and after 8 x shardRows keys at the latest.
 *
 * @param shardRows a power of two from 1 to 2^20.
 * @throws RangeError when shardRows is no such number.
 */
export const planShards = (
  sortedKeys: readonly Sha256[],
  shardRows: number = DEFAULT_SHARD_ROWS,
): readonly (readonly Sha256[])[] => {
  if (shardRows < 1 || shardRows > 2 ** 20 || !Number.isInteger(Math.log2(shardRows)))
    throw new RangeError(`shardRows must be a power of two up to 2^20, not ${shardRows}`)
  const shards: Sha256[][] = []
  let current: Sha256[] = []
  for (const key of sortedKeys) {
    current.push(key)
    if (isBoundary(key, shardRows) || current.length === shardRows * MAX_SHARD_FACTOR) {
      shards.push(current)
      current = []
    }
  }
  if (current.length > 0) shards.push(current)
  return shards
}
