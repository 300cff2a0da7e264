// Owns opening the features of a training: every shard of every view is read once and checked, then
// they lie in memory or are streamed, as the budget allows. The same rows and chunks either way.
import { assertNotAborted, HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import type { FeatureSet, FeatureSetShard } from './feature-set.js'
import { type FeatureSource, residentSource } from './feature-source.js'
import { type LocatedShard, locateShard } from './locate-shard.js'
import { defaultMemoryBytes } from './memory-budget.js'
import { planMemory } from './memory-plan.js'
import { type FeaturePlan, planChunks } from './plan-chunks.js'
import type { ShardMetadata } from './shard.js'
import { createShardReader, type ShardReader } from './shard-reader.js'
import { streamedSource } from './streamed-source.js'

export interface OpenOptions {
  /** Where `withDiskCache` keeps copies of this store's objects; none for a file store. */
  readonly cacheDir?: string | undefined
  /** Most memory for features; default: the share of the machine's that defaultMemoryBytes gives. */
  readonly budgetBytes?: number | undefined
  /** Ends the opening; what is open is closed by `close`. */
  readonly signal?: AbortSignal | undefined
}

/** Features of the same samples in one or more views; samples in quarantine in any view are left out. */
export interface OpenFeatures {
  readonly source: FeatureSource
  /** Keys of the rows, sorted. */
  readonly keys: readonly Sha256[]
  /** Of the shards of view 0, one a chunk of the source. */
  readonly shards: readonly ShardMetadata[]
  /** Resolves when nothing is being read any more. */
  close(): Promise<void>
}

interface OpenedChunk {
  readonly keys: readonly Sha256[]
  readonly metadata: ShardMetadata
  readonly located: readonly LocatedShard[]
}

interface Opening {
  readonly sets: readonly FeatureSet[]
  readonly plan: FeaturePlan
  readonly reader: ShardReader
  /** One a view, [rows, width]; none when features are streamed. */
  readonly blocks: readonly Float32Array[]
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const sameKeys = (one: readonly Sha256[], other: readonly Sha256[]): boolean =>
  one.length === other.length && one.every((key, row) => key === other[row])

/** Reads the shards of one chunk, one view after another through one buffer or into the blocks. */
const openChunk = async (
  { sets, plan, reader, blocks }: Opening,
  index: number,
  buffer: Uint8Array,
): Promise<OpenedChunk> => {
  const chunk = plan.chunks[index] as FeaturePlan['chunks'][number]
  const located: LocatedShard[] = []
  let first: Pick<OpenedChunk, 'keys' | 'metadata'> | undefined
  for (const [view, set] of sets.entries()) {
    const shard = chunk.shards[view] as FeatureSetShard
    const { excluded, width } = plan
    const rows = blocks[view]?.subarray(chunk.begin * width, chunk.end * width)
    // A shard of which rows are left out goes through the buffer.
    const isWhole = rows?.length === shard.rows * width
    const features = rows && isWhole ? bytesOf(rows) : undefined
    const memory = { buffer, features }
    const found = await locateShard(reader, { set, shard, excluded, memory })
    first ??= { keys: found.keys, metadata: found.metadata }
    if (found.keys.length !== chunk.end - chunk.begin || !sameKeys(first.keys, found.keys))
      throw new HeadstartError('FEATURES_MISMATCH', `shard ${shard.key} holds other samples`)
    if (rows && found.values.buffer !== rows.buffer) rows.set(found.values)
    located.push(found.located)
  }
  if (first === undefined) throw new RangeError('there is no view')
  return { ...first, located }
}

/** Several chunks at once. After a failure nothing is being read any more. */
const openChunks = async (
  opening: Opening,
  loaders: number,
  signal: AbortSignal | undefined,
): Promise<OpenedChunk[]> => {
  const { chunks, largestBytes } = opening.plan
  const opened: OpenedChunk[] = []
  const left = chunks.keys()
  let hasFailed = false
  const work = async (): Promise<void> => {
    const buffer = new Uint8Array(Math.max(0, ...largestBytes))
    try {
      for (const index of left) {
        assertNotAborted(signal)
        opened[index] = await openChunk(opening, index, buffer)
        if (hasFailed) return
      }
    } catch (error) {
      hasFailed = true
      throw error
    }
  }
  const workers = Array.from({ length: Math.min(loaders, chunks.length) }, work)
  const results = await Promise.allSettled(workers)
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return opened
}

/**
 * @param sets one a view, view 0 first.
 * @throws FEATURES_CORRUPT (details: store keys), FEATURES_MISMATCH, FEATURES_TOO_LARGE when the budget
 *   does not hold one chunk, INTERRUPTED, and the errors of the store.
 */
export const openFeatures = async (
  store: Store,
  sets: readonly FeatureSet[],
  { cacheDir, budgetBytes = defaultMemoryBytes(), signal }: OpenOptions = {},
): Promise<OpenFeatures> => {
  const plan = planChunks(sets)
  const { rows, width, chunks } = plan
  const { kind, loaders, chunksInMemory } = planMemory(plan, budgetBytes)
  const reader = createShardReader(store, cacheDir)
  const blocks = kind === 'resident' ? sets.map(() => new Float32Array(rows * width)) : []
  const opened = await openChunks({ sets, plan, reader, blocks }, loaders, signal)
  const known = {
    keys: opened.flatMap(({ keys }) => keys),
    shards: opened.map(({ metadata }) => metadata),
  }
  if (kind === 'resident') {
    const ends = chunks.map(({ end }) => end)
    return { source: residentSource(blocks, width, ends), ...known, close: async () => {} }
  }
  const located = opened.map((chunk) => chunk.located)
  const source = streamedSource({ plan, reader, located, chunksInMemory })
  return { source, ...known, close: () => source.close() }
}
