// Owns reading one shard for the first time: its bytes, that it is what its feature set names, and
// where its features lie in the file, so that they can be read again without the rest.
import { HeadstartError, isHeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { decodeShard } from './arrow.js'
import type { FeatureSet, FeatureSetShard } from './feature-set.js'
import { type KeptRows, keepRows, keptRowsOf } from './kept-rows.js'
import { type Shard, type ShardMetadata, widthOf } from './shard.js'
import { assertShardIdentity } from './shard-check.js'
import type { ShardMemory } from './shard-file.js'
import type { ShardReader, VerifiedBytes } from './shard-reader.js'

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
  /** [keys.length, width], in the memory that was given or of its own; valid until that is used again. */
  readonly values: Float32Array
}

interface DecodedShard extends Shard, Pick<VerifiedBytes, 'stamp'> {
  readonly position: LocatedShard['position']
}

const decode = ({ bytes, stamp }: VerifiedBytes): DecodedShard => {
  const decoded = decodeShard(bytes)
  const { buffer, byteOffset } = decoded.values
  const position = buffer === bytes.buffer ? byteOffset - bytes.byteOffset : null
  return { ...decoded, stamp, position }
}

/** Null where the features lie elsewhere: the bytes had a hole in another place. */
const decodePlaced = (loaded: VerifiedBytes, features: Uint8Array): DecodedShard | null => {
  try {
    const decoded = decode(loaded)
    const { length, byteLength } = decoded.values
    if (loaded.placed !== decoded.position || byteLength !== features.length) return null
    return { ...decoded, values: new Float32Array(features.buffer, features.byteOffset, length) }
  } catch (error) {
    if (isHeadstartError(error, 'FEATURES_CORRUPT')) return null
    throw error
  }
}

const loadDecoded = async (
  reader: ShardReader,
  shard: FeatureSetShard,
  memory: ShardMemory,
): Promise<DecodedShard> => {
  const { buffer, features } = memory
  const loaded = await reader.load(shard, memory)
  if (loaded.placed === null || features === undefined) return decode(loaded)
  // Only a file that this release did not write has its features elsewhere.
  return decodePlaced(loaded, features) ?? decode(await reader.load(shard, { buffer }))
}

/**
 * @param request.memory its buffer is at least `shard.bytes` long.
 * @throws FEATURES_CORRUPT, FEATURES_MISMATCH, STORE_UNAVAILABLE.
 */
export const locateShard = async (
  reader: ShardReader,
  request: {
    readonly set: FeatureSet
    readonly shard: FeatureSetShard
    readonly excluded: ReadonlySet<Sha256>
    readonly memory: ShardMemory
  },
): Promise<FirstRead> => {
  const { set, shard, excluded, memory } = request
  const loaded = await loadDecoded(reader, shard, memory)
  const { metadata, keys, values, stamp, position } = loaded
  assertShardIdentity(shard.key, loaded)
  const width = widthOf(set.featureShape)
  if (metadata.extractorId !== set.extractorId || widthOf(metadata.featureShape) !== width)
    throw new HeadstartError('FEATURES_MISMATCH', `shard ${shard.key} belongs to another extractor`)
  if (keys.length !== shard.rows)
    throw new HeadstartError('FEATURES_MISMATCH', `shard ${shard.key} has ${keys.length} rows`)
  const kept = keptRowsOf(keys, excluded)
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
  buffer: Uint8Array,
): Promise<Float32Array> => {
  const { shard, position, kept, stamp } = located
  const length = shard.rows * width
  if (stamp !== null && position !== null) {
    const bytes = buffer.subarray(0, length * Float32Array.BYTES_PER_ELEMENT)
    if (await reader.reread(shard, stamp, position, bytes))
      return keepRows(new Float32Array(buffer.buffer, buffer.byteOffset, length), kept, width)
  }
  const loaded = await reader.load(shard, { buffer })
  located.stamp = loaded.stamp
  // The same bytes as the first time, by their hash: what was proved about them still holds.
  return keepRows(decodeShard(loaded.bytes).values, kept, width)
}
