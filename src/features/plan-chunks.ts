// Owns which rows the views of a dataset share, chunk by chunk: a pure function of their feature sets.
// Refuses feature sets that are not views of one dataset.
import { HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { FeatureSet, FeatureSetShard } from './feature-set.js'
import type { Chunk } from './feature-source.js'
import { widthOf } from './shard.js'
import { corruptShard } from './shard-check.js'
import { parseShardStoreKey, type ShardName } from './shard-name.js'

/** The rows of one shard of every view that are in all views. */
export interface PlannedChunk extends Chunk {
  /** One a view. */
  readonly shards: readonly FeatureSetShard[]
}

export interface FeaturePlan {
  readonly width: number
  readonly rows: number
  /** One a shard, those without rows too. */
  readonly chunks: readonly PlannedChunk[]
  /** In quarantine in any view, and therefore in none. */
  readonly excluded: ReadonlySet<Sha256>
  /** Length of the largest shard of each view, in bytes. */
  readonly largestBytes: readonly number[]
}

const mismatch = (what: string): HeadstartError => new HeadstartError('FEATURES_MISMATCH', what)

const assertOneDataset = (sets: readonly FeatureSet[]): FeatureSet => {
  const [plain] = sets
  if (plain === undefined) throw new RangeError('there is no view')
  for (const set of sets) {
    if (set.contentId !== plain.contentId)
      throw mismatch(`the feature set ${set.featureSetId} belongs to another dataset`)
    if (widthOf(set.featureShape) !== widthOf(plain.featureShape))
      throw mismatch(`the feature set ${set.featureSetId} has features of another shape`)
    if (set.shards.length !== plain.shards.length)
      throw mismatch(`the feature set ${set.featureSetId} is cut into other shards`)
  }
  return plain
}

const nameOf = (shard: FeatureSetShard): ShardName => {
  const name = parseShardStoreKey(shard.key)
  if (name === null) throw corruptShard(shard.key, 'has no name of a shard')
  return name
}

/** For each shard, the excluded keys in its range of keys. */
const excludedByShard = (
  names: readonly ShardName[],
  excluded: readonly Sha256[],
): readonly (readonly Sha256[])[] => {
  let next = 0
  return names.map(({ first, last }) => {
    while ((excluded[next] ?? last) < first) next += 1
    const begin = next
    while (next < excluded.length && (excluded[next] as Sha256) <= last) next += 1
    return excluded.slice(begin, next)
  })
}

/**
 * @param sets one a view, view 0 first.
 * @throws FEATURES_MISMATCH when they are not views of one dataset; FEATURES_CORRUPT when one names
 *   what is no shard.
 */
export const planChunks = (sets: readonly FeatureSet[]): FeaturePlan => {
  const plain = assertOneDataset(sets)
  const width = widthOf(plain.featureShape)
  const names = plain.shards.map(nameOf)
  const quarantines = sets.map(({ quarantine }) => new Set(quarantine.map(({ key }) => key)))
  const excluded = new Set(quarantines.flatMap((keys) => [...keys]))
  const inShard = excludedByShard(names, [...excluded].sort())
  const chunks: PlannedChunk[] = []
  let begin = 0
  for (const [index, { first, last }] of names.entries()) {
    if (index > 0 && (names[index - 1]?.last ?? '') >= first)
      throw mismatch(`the shards of ${plain.featureSetId} are not in the order of their keys`)
    const shards = sets.map((set) => set.shards[index] as FeatureSetShard)
    const counts = shards.map((shard, view) => {
      const name = nameOf(shard)
      if (name.first !== first || name.last !== last)
        throw mismatch(`the views are cut into other shards: ${shard.key}`)
      if (shard.rows * width * Float32Array.BYTES_PER_ELEMENT > shard.bytes)
        throw mismatch(`shard ${shard.key} is too short for ${shard.rows} rows of ${width}`)
      const lost = inShard[index]?.filter((key) => !quarantines[view]?.has(key)) ?? []
      return shard.rows - lost.length
    })
    const rows = counts[0] as number
    if (counts.some((count) => count !== rows) || rows < 0)
      throw mismatch(`the views hold other samples in ${shards.map(({ key }) => key).join(', ')}`)
    chunks.push({ begin, end: begin + rows, shards })
    begin += rows
  }
  const largestBytes = sets.map(({ shards }) =>
    shards.reduce((most, { bytes }) => Math.max(most, bytes), 0),
  )
  return { width, rows: begin, chunks, excluded, largestBytes }
}
