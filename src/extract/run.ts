// Owns stage 1 as one function: what the store lacks is computed, and the feature set is written
// last. Knows no queue, no label and no command line.
import { HeadstartError, isHeadstartError } from '../errors.js'
import type { Extractor } from '../extractor/extractor.js'
import { type ExtractorSpec, extractorIdOfSpec, extractorKey } from '../extractor/spec.js'
import { planShards, shardRowsOf } from '../features/chunk.js'
import { type FeatureSet, saveFeatureSet } from '../features/feature-set.js'
import { widthOf } from '../features/shard.js'
import { shardStoreKey } from '../features/shard-name.js'
import { canonicalJson } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import { contentIdOf, featureSetIdOf } from '../identity/ids.js'
import type { Store } from '../store/port.js'
import { type Certified, certifyExisting, commit, findComplete } from './certify.js'
import { computeMissing } from './compute.js'
import { createSafeKeeper } from './keep-safe.js'
import { copyRows, listShards, type StoredShard } from './reuse.js'
import { createShardBuilder, type ShardBuilder } from './shard-builder.js'

export interface ExtractionProgress {
  /** Samples of the dataset. */
  readonly total: number
  /** Samples that have a row or a reason now. */
  readonly done: number
  /** Samples that went through the base in this extraction. */
  readonly computed: number
}

export interface ExtractionRequest {
  readonly store: Store
  readonly spec: ExtractorSpec
  /** Sorted unique sample keys. */
  readonly keys: readonly Sha256[]
  /** Starts the engine; called only when something has to be computed. Closed by the extraction. */
  readonly openExtractor: () => Promise<Extractor>
  /** @throws DATASET_CHANGED when the content is gone. */
  readonly readSample: (key: Sha256) => Promise<Uint8Array>
  readonly nameOf: (key: Sha256) => string
  /** Target rows of a shard, a power of two. */
  readonly shardRows?: number
  /** Store keys of shards known to be damaged: they are removed and computed again. */
  readonly damaged?: readonly string[]
  /** Read every shard of a set that is complete by its records, and check its hash. Default false. */
  readonly deep?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ExtractionProgress) => void
  /** Something the user should know, e.g. a damaged shard. */
  readonly onNotice?: (message: string) => void
}

export interface ExtractionResult {
  readonly featureSet: FeatureSet
  /** Samples that went through the base in this extraction, quarantined ones included. */
  readonly computed: number
  /** Samples whose rows were there already. */
  readonly reused: number
}

interface Missing {
  readonly keys: readonly Sha256[]
  readonly storeKey: string
}

const computeShards = async (
  request: ExtractionRequest,
  missing: readonly Missing[],
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

/**
 * Makes sure that the store holds the features of these samples, and certifies it.
 *
 * @throws INTERRUPTED, DATASET_CHANGED, ENGINE_FAILED, STORE_FULL: rows that were computed are kept.
 */
export const extract = async (request: ExtractionRequest): Promise<ExtractionResult> => {
  const { store, spec, keys, damaged = [] } = request
  const extractorId = extractorIdOfSpec(spec)
  const contentId = contentIdOf(keys)
  const featureSetId = featureSetIdOf(extractorId, contentId)
  for (const key of damaged) {
    request.onNotice?.(`damaged shard found, computing it again: ${key}`)
    await store.delete(key)
  }
  const complete = await findComplete(request, featureSetId, request.deep ?? false)
  if (complete !== null) return { featureSet: complete, computed: 0, reused: keys.length }

  await store.putIfAbsent(extractorKey(extractorId), Buffer.from(canonicalJson(spec)))
  const stored = await listShards(store, extractorId)
  const storedKeys = new Set(stored.map(({ key }) => key))
  const certified = new Map<string, Certified>()
  const missing: Missing[] = []
  const counted = { done: 0, computed: 0 }
  const planned = planShards(
    keys,
    request.shardRows ?? shardRowsOf(widthOf(spec.featureShape)),
  ).map((shardKeys) => ({
    keys: shardKeys,
    storeKey: shardStoreKey(extractorId, shardKeys),
  }))
  for (const shard of planned) {
    const existing = storedKeys.has(shard.storeKey)
      ? await certifyExisting(request, shard.storeKey)
      : null
    if (existing === null) missing.push(shard)
    else {
      certified.set(shard.storeKey, existing)
      counted.done += shard.keys.length
    }
  }
  if (missing.length > 0)
    for (const [key, shard] of await computeShards(request, missing, stored, counted))
      certified.set(key, shard)

  const shards = planned.map(({ storeKey }) => certified.get(storeKey) as Certified)
  const featureSet: FeatureSet = {
    version: 1,
    featureSetId,
    extractorId,
    contentId,
    featureShape: spec.featureShape,
    rows: shards.reduce((sum, { rows }) => sum + rows, 0),
    shards: shards.map(({ key, rows, bytes, sha256: hash }) => ({
      key,
      rows,
      bytes,
      sha256: hash,
    })),
    quarantine: shards.flatMap(({ quarantine }) => quarantine),
  }
  await saveFeatureSet(store, featureSet)
  return { featureSet, computed: counted.computed, reused: keys.length - counted.computed }
}
