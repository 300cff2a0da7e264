// Owns computing missing shards: rows are copied from older shards where there are any, the others go
// through the base, and each shard is committed when it is complete.
import { HeadstartError, isHeadstartError } from '../errors.js'
import type { Extractor } from '../extractor/extractor.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import { shardStoreKey } from '../features/shard-name.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { type Certified, certifyExisting, commit } from './certify.js'
import { computeMissing } from './compute.js'
import { createSafeKeeper } from './keep-safe.js'
import { copyRows, listShards, type StoredShard } from './reuse.js'
import { createShardBuilder, type ShardBuilder } from './shard-builder.js'

export interface ExtractionProgress {
  /** Samples that were asked for. */
  readonly total: number
  /** Samples that have a row or a reason now. */
  readonly done: number
  /** Samples that went through the base in this extraction. */
  readonly computed: number
}

export interface ComputeShardsRequest {
  readonly store: Store
  readonly spec: ExtractorSpec
  /** Sorted unique sample keys. */
  readonly keys: readonly Sha256[]
  /** Starts the engine; called only when something has to be computed. Closed by the extraction. */
  readonly openExtractor: () => Promise<Extractor>
  /** @throws DATASET_CHANGED when the content is gone. */
  readonly readSample: (key: Sha256) => Promise<Uint8Array>
  readonly nameOf: (key: Sha256) => string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ExtractionProgress) => void
  /** Something the user should know, e.g. a damaged shard. */
  readonly onNotice?: (message: string) => void
}

/** A shard as it is planned. */
export interface PlannedShard {
  /** Sorted. */
  readonly keys: readonly Sha256[]
  readonly storeKey: string
}

/**
 * Computes and commits shards that the store lacks.
 *
 * @param stored older shards whose rows may be copied.
 * @param counted counts on from what was there.
 * @throws INTERRUPTED, DATASET_CHANGED, ENGINE_FAILED, STORE_FULL: rows that were computed are kept.
 */
export const computeShards = async (
  request: ComputeShardsRequest,
  missing: readonly PlannedShard[],
  stored: readonly StoredShard[],
  counted: { done: number; computed: number },
): Promise<Map<string, Certified>> => {
  const { store, spec, keys: allKeys } = request
  const extractorId = extractorIdOfSpec(spec)
  const certified = new Map<string, Certified>()
  const keeper = createSafeKeeper(request)
  const report = () => request.onProgress?.({ ...counted, total: allKeys.length })
  let unreadable: Sha256[] = []

  async function* builders(): AsyncGenerator<ShardBuilder> {
    for (const { keys } of missing) {
      const builder = createShardBuilder(extractorId, spec, keys)
      keeper.begin(builder)
      await copyRows(store, stored, keys, builder)
      counted.done += keys.length - builder.remaining
      report()
      yield builder
    }
  }

  let extractor: Extractor | undefined
  const openExtractor = async (): Promise<Extractor> => {
    extractor ??= await request.openExtractor()
    return extractor
  }

  const onComplete = async (builder: ShardBuilder): Promise<void> => {
    const shard = await commit(request, builder)
    if (shard !== null) certified.set(shard.key, shard)
    await keeper.finish(builder, shard?.key ?? null)
  }

  try {
    await computeMissing({
      openExtractor,
      builders: builders(),
      readSample: async (key) => {
        try {
          return await request.readSample(key)
        } catch (error) {
          if (isHeadstartError(error, 'DATASET_CHANGED')) unreadable = [...unreadable, key]
          throw error
        }
      },
      onComplete,
      onPart: keeper.saveNowAndThen,
      onBatch: (samples) => {
        counted.done += samples
        counted.computed += samples
        report()
      },
      signal: request.signal,
    })
  } catch (error) {
    throw await keeper.rescue(error)
  } finally {
    await extractor?.close()
  }
  if (unreadable.length > 0)
    throw new HeadstartError(
      'DATASET_CHANGED',
      `${unreadable.length} of ${allKeys.length} samples changed or vanished since they were indexed`,
      { details: unreadable.slice(0, 20).map(request.nameOf) },
    )
  return certified
}

export interface ShardResult {
  readonly shard: Certified
  /** Samples that went through the base now. */
  readonly computed: number
}

/**
 * One shard by itself: `keys` are its sample keys.
 *
 * @param overlapping older shards whose rows may be copied; undefined: look for them.
 * @throws as computeShards.
 */
export const extractShard = async (
  request: ComputeShardsRequest,
  overlapping: readonly StoredShard[] | undefined,
): Promise<ShardResult> => {
  const { store, spec, keys } = request
  const extractorId = extractorIdOfSpec(spec)
  const storeKey = shardStoreKey(extractorId, keys)
  const existing = await certifyExisting(request, storeKey)
  if (existing !== null) return { shard: existing, computed: 0 }
  const stored = overlapping ?? (await listShards(store, extractorId))
  const counted = { done: 0, computed: 0 }
  const certified = await computeShards(request, [{ keys, storeKey }], stored, counted)
  return { shard: certified.get(storeKey) as Certified, computed: counted.computed }
}
