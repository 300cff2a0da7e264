// Owns reading one shard for the first time: its bytes, that it is what its feature set names, and
// where its features lie in the file, so that they can be read again without the rest.
import { HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { decodeShard } from './arrow.js'
import type { FeatureSet, FeatureSetShard } from './feature-set.js'
import { type KeptRows, keepRows, keptRowsOf } from './kept-rows.js'
import { type ShardMetadata, widthOf } from './shard.js'
import type { ShardBuffer } from './shard-buffer.js'
import { assertShardIdentity } from './shard-check.js'
import type { ShardReader } from './shard-reader.js'

/** How to read the features of a shard again. */
export interface LocatedShard {
  readonly shard: FeatureSetShard
  /** Of the first value in the file, in bytes; null where it is not known. */
  readonly position: number | null
  readonly kept: KeptRows
  /** The local file that was verified last; null: none was. */
  stamp: string | null
}

export interface FirstRead {
  readonly located: LocatedShard
  readonly metadata: ShardMetadata
  /** Keys of the rows that stay. */
  readonly keys: readonly Sha256[]
  /** [keys.length, width], in the buffer that was given; valid until it is used again. */
  readonly values: Float32Array
}

/**
 * @param buffer at least `shard.bytes` long.
 * @throws FEATURES_CORRUPT, FEATURES_MISMATCH, STORE_UNAVAILABLE.
 */
export const locateShard = async (
  reader: ShardReader,
  request: {
    readonly set: FeatureSet
    readonly shard: FeatureSetShard
    readonly excluded: ReadonlySet<Sha256>
    readonly buffer: ShardBuffer
  },
): Promise<FirstRead> => {
  const { set, shard, excluded, buffer } = request
  const { bytes, stamp } = await reader.load(shard, buffer)
  const { metadata, keys, values } = decodeShard(bytes)
  assertShardIdentity(shard.key, { metadata, keys, values })
  const width = widthOf(set.featureShape)
  if (metadata.extractorId !== set.extractorId || widthOf(metadata.featureShape) !== width)
    throw new HeadstartError('FEATURES_MISMATCH', `shard ${shard.key} belongs to another extractor`)
  if (keys.length !== shard.rows)
    throw new HeadstartError('FEATURES_MISMATCH', `shard ${shard.key} has ${keys.length} rows`)
  const kept = keptRowsOf(keys, excluded)
  const position = values.buffer === bytes.buffer ? values.byteOffset - bytes.byteOffset : null
  return {
    located: { shard, position, kept, stamp },
    metadata,
    keys: kept === null ? keys : Array.from(kept, (row) => keys[row] as Sha256),
    values: keepRows(values, kept, width),
  }
}

/**
 * The features of a shard again. A file that is the same as when it was verified is not hashed again.
 *
 * @param buffer at least `shard.bytes` long, of its own: it is filled from its first byte on.
 * @returns [kept rows, width]; in the buffer, or in memory of its own.
 * @throws FEATURES_CORRUPT, STORE_UNAVAILABLE.
 */
export const rereadFeatures = async (
  reader: ShardReader,
  located: LocatedShard,
  width: number,
  buffer: ShardBuffer,
): Promise<Float32Array> => {
  const { shard, position, kept, stamp } = located
  const length = shard.rows * width
  if (stamp !== null && position !== null) {
    const { bytes: all } = buffer
    const bytes = all.subarray(0, length * Float32Array.BYTES_PER_ELEMENT)
    if (await reader.reread(shard, stamp, position, bytes))
      return keepRows(new Float32Array(all.buffer, all.byteOffset, length), kept, width)
  }
  const loaded = await reader.load(shard, buffer)
  located.stamp = loaded.stamp
  // The same bytes as the first time, by their hash: what was proved about them still holds.
  return keepRows(decodeShard(loaded.bytes).values, kept, width)
}
