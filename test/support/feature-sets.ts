// Owns feature sets that are made up: any cut into shards, any quarantine in any view, values that tell
// view, sample and column apart.
import { encodeShard } from '../../src/features/arrow.js'
import type { FeatureSet } from '../../src/features/feature-set.js'
import { shardPrefix } from '../../src/features/shard-name.js'
import { type Sha256, sha256 } from '../../src/identity/hash.js'
import { contentIdOf, featureSetIdOf } from '../../src/identity/ids.js'
import type { Store } from '../../src/store/port.js'
import { makeShard } from './shards.js'

/** The features of one sample in one view. */
export const featuresOf = (key: Sha256, view: number, width: number): Float32Array => {
  const start = Number.parseInt(key.slice(0, 6), 16)
  const features = new Float32Array(width)
  for (let column = 0; column < width; column += 1)
    features[column] = start / 3 + view * 0.25 - column
  return features
}

/** All features of the samples in one view, row-major. */
export const blockOf = (keys: readonly Sha256[], view: number, width: number): Float32Array => {
  const block = new Float32Array(keys.length * width)
  for (const [row, key] of keys.entries()) block.set(featuresOf(key, view, width), row * width)
  return block
}

export interface MadeSets {
  /** Sorted sample keys. */
  readonly keys: readonly Sha256[]
  readonly width: number
  /** Where each shard ends; the last one at keys.length. */
  readonly ends: readonly number[]
  /** One a view: what is in quarantine there. */
  readonly quarantined: readonly ReadonlySet<Sha256>[]
}

/** Stores the shards of every view. */
export const storeSets = async (store: Store, made: MadeSets): Promise<FeatureSet[]> => {
  const { keys, width, ends, quarantined } = made
  const contentId = contentIdOf(keys)
  const sets: FeatureSet[] = []
  for (const [view, lost] of quarantined.entries()) {
    const shards: FeatureSet['shards'] = []
    const quarantine: FeatureSet['quarantine'] = []
    let extractorId = ''
    for (const [index, end] of ends.entries()) {
      const all = keys.slice(ends[index - 1] ?? 0, end)
      const kept = all.filter((key) => !lost.has(key))
      const refused = all.filter((key) => lost.has(key)).map((key) => ({ key, reason: 'broken' }))
      const parts = { keys: kept, width, quarantine: refused, cut: `view ${view}` }
      const { metadata } = makeShard(parts)
      const bytes = encodeShard({ metadata, keys: kept, values: blockOf(kept, view, width) })
      extractorId = metadata.extractorId
      const key = `${shardPrefix(extractorId)}${all.at(0)}-${all.at(-1)}-${metadata.shardKey}.arrow`
      await store.putIfAbsent(key, bytes)
      shards.push({ key, rows: kept.length, bytes: bytes.length, sha256: sha256(bytes) })
      quarantine.push(...refused)
    }
    sets.push({
      version: 1,
      featureSetId: featureSetIdOf(extractorId, contentId),
      extractorId,
      contentId,
      featureShape: [width],
      rows: shards.reduce((sum, { rows }) => sum + rows, 0),
      shards,
      quarantine,
    })
  }
  return sets
}

/** The least budget for so many chunks at once; features of many shards do not fit into it whole. */
export const streamingBudgetOf = (sets: readonly FeatureSet[], chunks = 2): number => {
  const largest = sets.map(({ shards }) => Math.max(0, ...shards.map(({ bytes }) => bytes)))
  return chunks * largest.reduce((sum, bytes) => sum + bytes, 0) + Math.max(0, ...largest)
}
