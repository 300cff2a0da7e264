// Owns shards that are made up: fixed keys and values, a complete spec, quarantine where asked for.
import { type ExtractorSpec, extractorIdOfSpec } from '../../src/extractor/spec.js'
import type { Quarantined, Shard } from '../../src/features/shard.js'
import { type Sha256, sha256 } from '../../src/identity/hash.js'
import { shardKeyOf } from '../../src/identity/ids.js'

/** Sorted sample keys, the same for the same numbers. */
export const sampleKeys = (count: number, from = 0): Sha256[] =>
  Array.from({ length: count }, (_, i) => sha256(`sample ${from + i}`)).sort()

/** The spec of an extractor of rows; nothing is left out. */
export const rowSpec = (width: number, cut = 'features'): ExtractorSpec => ({
  version: 1,
  base: { id: sha256('a base'), format: 'layers-model' },
  cut,
  pooling: 'none',
  input: { kind: 'tensor', dtype: 'float32', shape: [3] },
  view: { kind: 'plain' },
  engine: 'wasm',
  precision: 'fp32',
  fixedBatch: null,
  featureShape: [width],
})

/** Values of both signs, from 2^-140 to 2^60; exact, so that no release of Node rounds them otherwise. */
export const fixedFeatures = (count: number): Float32Array =>
  Float32Array.from(
    { length: count },
    (_, i) => (((i * 7919) % 4093) - 2046) * 2 ** ((i % 51) * 4 - 150),
  )

export const makeShard = (parts: {
  readonly keys: readonly Sha256[]
  readonly width: number
  readonly quarantine?: readonly Quarantined[]
  readonly cut?: string
}): Shard => {
  const { keys, width, quarantine = [] } = parts
  const spec = rowSpec(width, parts.cut)
  const extractorId = extractorIdOfSpec(spec)
  const all = [...keys, ...quarantine.map(({ key }) => key)].sort()
  return {
    metadata: {
      version: 1,
      shardKey: shardKeyOf(extractorId, all),
      extractorId,
      extractor: spec,
      featureShape: [width],
      engines: [{ engine: 'wasm', version: 'tfjs 4.22.0', device: 'cpu (wasm simd)' }],
      quarantine: [...quarantine],
    },
    keys,
    values: fixedFeatures(keys.length * width),
  }
}
