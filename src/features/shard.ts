// Owns what a shard says: its rows, its quarantine, and the metadata that makes it self-describing.
// No clock and no host name inside: the same samples through the same engine give the same bytes.
import { z } from 'zod'
import { SHA256_PATTERN, type Sha256 } from '../identity/hash.js'

export const sha256Schema = z.string().regex(SHA256_PATTERN)

/** What computed rows: recorded with them, no part of any id. */
export const engineInfoSchema = z.strictObject({
  engine: z.string(),
  /** Versions of the engine and of the decoder, e.g. `tfjs 4.22.0, sharp 0.35.5`. */
  version: z.string(),
  /** e.g. `cpu (wasm simd)`, `NVIDIA A100`. */
  device: z.string(),
})
export type EngineInfo = z.infer<typeof engineInfoSchema>

export const quarantinedSchema = z.strictObject({ key: sha256Schema, reason: z.string() })
/** A sample whose content can not be decoded or computed. */
export type Quarantined = z.infer<typeof quarantinedSchema>

export const shardMetadataSchema = z.strictObject({
  version: z.literal(1),
  shardKey: sha256Schema,
  extractorId: sha256Schema,
  /** The canonical extractor spec. */
  extractor: z.json(),
  featureShape: z.array(z.int().positive()),
  /** More than one where rows were copied from older shards. Sorted by their canonical JSON. */
  engines: z.array(engineInfoSchema),
  quarantine: z.array(quarantinedSchema),
})
export type ShardMetadata = z.infer<typeof shardMetadataSchema>

export interface Shard {
  readonly metadata: ShardMetadata
  /** Keys of the rows, sorted; quarantined samples have no row. */
  readonly keys: readonly Sha256[]
  /** [keys.length, width] row-major. */
  readonly values: Float32Array
}

/** Values in one row. */
export const widthOf = (featureShape: readonly number[]): number =>
  featureShape.reduce((product, size) => product * size, 1)
