// Owns computing missing shards: rows are copied from older shards where there are any, the others go
// through the base, once for all extractors that miss them, and each shard is committed when complete.
import { HeadstartError, isHeadstartError } from '../errors.js'
import type { Pass } from '../extractor/extractor.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import { shardPrefix } from '../features/shard-name.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { type Certified, certifyExisting, commit } from './certify.js'
import { buildersOf, type Column, type PlannedShard } from './column.js'
import { computeMissing } from './compute.js'
import { createSafeKeeper } from './keep-safe.js'
import { listShards, type StoredShard } from './reuse.js'
import type { ShardBuilder } from './shard-builder.js'

export interface ExtractionProgress {
  /** Samples that were asked for. */
  readonly total: number
  /** Samples that have a row or a reason in every extractor now. */
  readonly done: number
  /** Samples that went through the base in this extraction. */
  readonly computed: number
}

export interface ComputeShardsRequest {
  readonly store: Store
  /** Sorted unique sample keys. */
  readonly keys: readonly Sha256[]
  /**
   * Starts the engine; called only when something has to be computed, with the extractors that miss
   * something. Closed by the extraction.
   */
  readonly openPass: (specs: readonly ExtractorSpec[]) => Promise<Pass>
  /** @throws DATASET_CHANGED when the content is gone. */
  readonly readSample: (key: Sha256) => Promise<Uint8Array>
  readonly nameOf: (key: Sha256) => string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ExtractionProgress) => void
  /** Something the user should know, e.g. a damaged shard. */
  readonly onNotice?: (message: string) => void
}

const createReporter = ({ keys, onProgress }: ComputeShardsRequest, columns: readonly Column[]) => {
  return (): void =>
    onProgress?.({
      total: keys.length,
      done: Math.min(...columns.map(({ counted }) => counted.done)),
      computed: columns.reduce((sum, { counted }) => sum + counted.computed, 0),
    })
}

/**
 * Computes and commits shards that the store lacks.
 *
 * @param all columns whose extractors share a forward pass; those that miss nothing only count.
 * @throws INTERRUPTED, DATASET_CHANGED, ENGINE_FAILED, STORE_FULL: rows that were computed are kept.
 */
export const computeShards = async (
  request: ComputeShardsRequest,
  all: readonly Column[],
): Promise<Map<string, Certified>> => {
  const { store, keys: allKeys } = request
  const columns = all.filter(({ missing }) => missing.length > 0)
  const certified = new Map<string, Certified>()
  const keeper = createSafeKeeper(request)
  const report = createReporter(request, all)
  const unreadable = new Set<Sha256>()

  let pass: Pass | undefined
  const openPass = async (): Promise<Pass> => {
    pass ??= await request.openPass(columns.map(({ spec }) => spec))
    return pass
  }

  const onComplete = async (builder: ShardBuilder): Promise<void> => {
    const shard = await commit(request, builder)
    if (shard !== null) certified.set(shard.key, shard)
    await keeper.finish(builder, shard?.key ?? null)
  }

  async function* reporting(column: Column): AsyncGenerator<ShardBuilder> {
    for await (const builder of buildersOf(store, column, keeper.begin)) {
      report()
      yield builder
    }
  }

  try {
    await computeMissing({
      openPass,
      columns: columns.map(reporting),
      readSample: async (key) => {
        try {
          return await request.readSample(key)
        } catch (error) {
          if (isHeadstartError(error, 'DATASET_CHANGED')) unreadable.add(key)
          throw error
        }
      },
      onComplete,
      onPart: keeper.saveNowAndThen,
      onBatch: (settled) => {
        for (const { takers } of settled) {
          for (const { column } of takers) (columns[column] as Column).counted.done += 1
          ;(columns[takers[0].column] as Column).counted.computed += 1
        }
        report()
      },
      signal: request.signal,
    })
  } catch (error) {
    throw await keeper.rescue(error)
  } finally {
    await pass?.close()
  }
  if (unreadable.size > 0)
    throw new HeadstartError(
      'DATASET_CHANGED',
      `${unreadable.size} of ${allKeys.length} samples changed or vanished since they were indexed`,
      { details: [...unreadable].slice(0, 20).map(request.nameOf) },
    )
  return certified
}

/** Some shards of one extractor. */
export interface WantedShards {
  readonly spec: ExtractorSpec
  readonly shards: readonly PlannedShard[]
}

export interface ShardsResult {
  /** One a wanted shard, in order: the extractors as they were given, and the shards of each. */
  readonly shards: readonly Certified[]
  /** Samples that went through the base now. */
  readonly computed: number
}

/**
 * The shards of some extractors over the same samples, `request.keys`.
 *
 * @param overlapping older shards, of any of the extractors, whose rows may be copied; undefined: look for them.
 * @throws as computeShards.
 */
export const extractShards = async (
  request: ComputeShardsRequest,
  wanted: readonly WantedShards[],
  overlapping: readonly StoredShard[] | undefined,
): Promise<ShardsResult> => {
  const { store } = request
  const certified = new Map<string, Certified>()
  const columns: Column[] = []
  for (const { spec, shards } of wanted) {
    const missing: PlannedShard[] = []
    let done = 0
    for (const shard of shards) {
      const existing = await certifyExisting(request, shard.storeKey)
      if (existing === null) missing.push(shard)
      else {
        certified.set(shard.storeKey, existing)
        done += shard.keys.length
      }
    }
    const id = extractorIdOfSpec(spec)
    const named = overlapping?.filter(({ key }) => key.startsWith(shardPrefix(id)))
    const stored = missing.length === 0 ? [] : (named ?? (await listShards(store, id)))
    columns.push({ spec, missing, stored, counted: { done, computed: 0 } })
  }
  for (const [key, shard] of await computeShards(request, columns)) certified.set(key, shard)
  return {
    shards: wanted.flatMap(({ shards }) =>
      shards.map(({ storeKey }) => certified.get(storeKey) as Certified),
    ),
    computed: columns.reduce((sum, { counted }) => sum + counted.computed, 0),
  }
}
