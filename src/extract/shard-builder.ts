// Owns one shard in the making: which samples have a row, which are in quarantine, which are missing.
import type { ExtractorSpec } from '../extractor/spec.js'
import { encodeShard } from '../features/arrow.js'
import { type EngineInfo, type Quarantined, widthOf } from '../features/shard.js'
import { shardStoreKey } from '../features/shard-name.js'
import { canonicalJson } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import { shardKeyOf } from '../identity/ids.js'

export interface EncodedShard {
  readonly storeKey: string
  readonly bytes: Uint8Array
  readonly rows: number
  readonly quarantine: readonly Quarantined[]
}

export interface ShardBuilder {
  readonly storeKey: string
  /** Keys that were not settled yet when the shard was begun to be computed. */
  missing(): readonly Sha256[]
  /** Keys with neither a row nor a reason. */
  readonly remaining: number
  /** Rows and reasons that this builder got from a forward pass, not from older shards. */
  readonly computed: number
  setRow(key: Sha256, features: Float32Array, origin: 'computed' | 'copied'): void
  setQuarantined(key: Sha256, reason: string, origin: 'computed' | 'copied'): void
  /** The content of this sample cannot be had now: it is left out of what is encoded. */
  setUnreadable(key: Sha256): void
  addEngines(engines: readonly EngineInfo[]): void
  /** The settled part as a shard of its own; null when nothing is settled. */
  encode(): EncodedShard | null
}

type State = 'row' | 'unreadable' | { readonly reason: string }

/** @param keys sorted sample keys of the whole shard. */
export const createShardBuilder = (
  extractorId: Sha256,
  spec: ExtractorSpec,
  keys: readonly Sha256[],
): ShardBuilder => {
  const width = widthOf(spec.featureShape)
  const values = new Float32Array(keys.length * width)
  const indexOf = new Map(keys.map((key, index) => [key, index]))
  const states: (State | undefined)[] = new Array(keys.length)
  const engines = new Map<string, EngineInfo>()
  let remaining = keys.length
  let computed = 0

  const settle = (key: Sha256, state: State, origin: 'computed' | 'copied'): number | null => {
    const index = indexOf.get(key)
    if (index === undefined || states[index] !== undefined) return null
    states[index] = state
    remaining -= 1
    if (origin === 'computed') computed += 1
    return index
  }

  const encode = (): EncodedShard | null => {
    const settled = keys.filter((_, i) => states[i] !== undefined && states[i] !== 'unreadable')
    if (settled.length === 0) return null
    const rowIndexes = keys.flatMap((_, i) => (states[i] === 'row' ? [i] : []))
    const packed =
      rowIndexes.length === keys.length ? values : new Float32Array(rowIndexes.length * width)
    if (packed !== values)
      rowIndexes.forEach((from, to) => {
        packed.set(values.subarray(from * width, (from + 1) * width), to * width)
      })
    const quarantine = keys.flatMap((key, i) => {
      const state = states[i]
      return typeof state === 'object' ? [{ key, reason: state.reason }] : []
    })
    const metadata = {
      version: 1 as const,
      shardKey: shardKeyOf(extractorId, settled),
      extractorId,
      extractor: spec,
      featureShape: spec.featureShape,
      engines: [...engines.keys()].sort().map((name) => engines.get(name) as EngineInfo),
      quarantine,
    }
    const rowKeys = rowIndexes.map((i) => keys[i] as Sha256)
    return {
      storeKey: shardStoreKey(extractorId, settled),
      bytes: encodeShard({ metadata, keys: rowKeys, values: packed }),
      rows: rowKeys.length,
      quarantine,
    }
  }

  return {
    storeKey: shardStoreKey(extractorId, keys),
    missing: () => keys.filter((_, i) => states[i] === undefined),
    get remaining() {
      return remaining
    },
    get computed() {
      return computed
    },
    setRow: (key, features, origin) => {
      const index = settle(key, 'row', origin)
      if (index !== null) values.set(features, index * width)
    },
    setQuarantined: (key, reason, origin) => {
      settle(key, { reason }, origin)
    },
    setUnreadable: (key) => {
      settle(key, 'unreadable', 'copied')
    },
    addEngines: (added) => {
      for (const engine of added) engines.set(canonicalJson(engine), engine)
    },
    encode,
  }
}
