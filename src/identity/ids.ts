// Owns the identities of the design: which facts make a thing the same thing.
// Names, labels, paths, clocks and hosts never reach a feature's identity.
import type { JsonValue } from './canonical-json.js'
import { type Sha256, sha256, sha256OfJson } from './hash.js'

/** Identity of a sample that is a file: its content. */
export const sampleKeyOfBytes = (content: Uint8Array): Sha256 => sha256(content)

/**
 * Identity of a sample that is one row of a tensor: dtype, shape of the row and the row's
 * little-endian bytes.
 */
export const sampleKeyOfRow = (
  dtype: string,
  shape: readonly number[],
  bytes: Uint8Array,
): Sha256 => sha256(`${dtype}[${shape.join(',')}]\n`, bytes)

/** Identity of a dataset's content: its unique sample keys, in any order. */
export const contentIdOf = (sampleKeys: readonly Sha256[]): Sha256 =>
  sha256([...new Set(sampleKeys)].sort().join('\n'))

/** Identity of a shard: its extractor and its sample keys in order. */
export const shardKeyOf = (extractorId: Sha256, sampleKeys: readonly Sha256[]): Sha256 =>
  sha256(extractorId, '\n', sampleKeys.join('\n'))

export const extractorIdOf = (canonicalSpec: JsonValue): Sha256 => sha256OfJson(canonicalSpec)

export const featureSetIdOf = (extractorId: Sha256, contentId: Sha256): Sha256 =>
  sha256OfJson({ extractorId, contentId })

/**
 * Identity of a training: the features of every view in order, the labelled dataset, the head and
 * the seed.
 */
export const runKeyOf = (request: {
  readonly featureSetIds: readonly Sha256[]
  readonly datasetId: Sha256
  readonly head: JsonValue
  readonly seed: number
}): Sha256 => sha256OfJson({ ...request })
