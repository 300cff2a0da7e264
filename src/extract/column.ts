// Owns what one extractor of an extraction lacks: a column, beside those of the other extractors that
// share its forward pass. Columns may cut the same samples into shards of different sizes.
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { copyRows, type StoredShard } from './reuse.js'
import { createShardBuilder, type ShardBuilder } from './shard-builder.js'

/** A shard as it is planned. */
export interface PlannedShard {
  /** Sorted. */
  readonly keys: readonly Sha256[]
  readonly storeKey: string
}

export interface Column {
  readonly spec: ExtractorSpec
  /** Shards that the store lacks, in key order. */
  readonly missing: readonly PlannedShard[]
  /** Older shards whose rows may be copied. */
  readonly stored: readonly StoredShard[]
  /** Counts on from what was there. */
  readonly counted: {
    /** Samples that have a row or a reason in this column now. */
    done: number
    /**
     * Forward passes that were made for this column. One that several columns share counts in the first
     * of them, so that the sum over columns is the number of forward passes.
     */
    computed: number
  }
}

/** Builders of the missing shards, filled with what could be copied; each is made when its turn comes. */
export async function* buildersOf(
  store: Store,
  { spec, missing, stored, counted }: Column,
  onBegin: (builder: ShardBuilder) => void,
): AsyncGenerator<ShardBuilder> {
  const extractorId = extractorIdOfSpec(spec)
  for (const { keys } of missing) {
    const builder = createShardBuilder(extractorId, spec, keys)
    onBegin(builder)
    await copyRows(store, stored, keys, builder)
    counted.done += keys.length - builder.remaining
    yield builder
  }
}
