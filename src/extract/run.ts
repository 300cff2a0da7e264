// Owns stage 1 as one function: what the store lacks is computed, and the feature sets are written
// last. Knows no queue, no label and no command line.
import { assertOnePass } from '../extractor/passes.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import { type FeatureSet, saveFeatureSet } from '../features/feature-set.js'
import { contentIdOf, featureSetIdOf } from '../identity/ids.js'
import { type Certified, certifyExisting, findComplete } from './certify.js'
import type { Column, PlannedShard } from './column.js'
import { featureSetOf, planExtraction, saveExtractor } from './plan.js'
import { listShards } from './reuse.js'
import { type ComputeShardsRequest, computeShards } from './shards.js'

export type { ExtractionProgress } from './shards.js'

export interface ExtractionRequest extends ComputeShardsRequest {
  /** Extractors that share a forward pass; see groupByPass. */
  readonly specs: readonly ExtractorSpec[]
  /** Target rows of a shard, a power of two. */
  readonly shardRows?: number
  /** Store keys of shards known to be damaged: they are removed and computed again. */
  readonly damaged?: readonly string[]
  /** Read every shard of a set that is complete by its records, and check its hash. Default false. */
  readonly deep?: boolean
}

export interface ExtractionResult {
  readonly featureSet: FeatureSet
  /**
   * Samples that went through the base for this feature set, quarantined ones included. A forward pass
   * that several feature sets share counts in the first of them that lacked the row.
   */
  readonly computed: number
  /** The others: their rows were there already, or came with the forward pass of another set. */
  readonly reused: number
}

/** What one extractor has and lacks. */
interface Look {
  readonly column: Column
  readonly planned: readonly PlannedShard[]
  /** The set where it is complete by its certificate; then nothing else was looked at. */
  readonly complete: FeatureSet | null
  readonly certified: Map<string, Certified>
}

const look = async (request: ExtractionRequest, spec: ExtractorSpec): Promise<Look> => {
  const { store, keys } = request
  const extractorId = extractorIdOfSpec(spec)
  const certified = new Map<string, Certified>()
  const id = featureSetIdOf(extractorId, contentIdOf(keys))
  const complete = await findComplete(request, id, request.deep ?? false)
  if (complete !== null) {
    const counted = { done: keys.length, computed: 0 }
    return { column: { spec, missing: [], stored: [], counted }, planned: [], complete, certified }
  }
  await saveExtractor(store, spec)
  const stored = await listShards(store, extractorId)
  const storedKeys = new Set(stored.map(({ key }) => key))
  const missing: PlannedShard[] = []
  const counted = { done: 0, computed: 0 }
  const planned = planExtraction(spec, keys, request.shardRows)
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
  return { column: { spec, missing, stored, counted }, planned, complete, certified }
}

const certify = async (
  { store, keys }: ExtractionRequest,
  { column, planned, complete, certified }: Look,
  added: ReadonlyMap<string, Certified>,
): Promise<ExtractionResult> => {
  const { computed } = column.counted
  if (complete !== null) return { featureSet: complete, computed, reused: keys.length }
  const shards = planned.map(
    ({ storeKey }) => (added.get(storeKey) ?? certified.get(storeKey)) as Certified,
  )
  const featureSet = featureSetOf(column.spec, contentIdOf(keys), shards)
  await saveFeatureSet(store, featureSet)
  return { featureSet, computed, reused: keys.length - computed }
}

/**
 * Makes sure that the store holds the features of these samples, and certifies them. A sample that
 * several extractors lack goes through the base once.
 *
 * @returns one result an extractor, in the order of `specs`.
 * @throws INTERRUPTED, DATASET_CHANGED, ENGINE_FAILED, STORE_FULL: rows that were computed are kept.
 */
export const extract = async (request: ExtractionRequest): Promise<readonly ExtractionResult[]> => {
  const { store, specs, damaged = [] } = request
  assertOnePass(specs)
  for (const key of damaged) {
    request.onNotice?.(`damaged shard found, computing it again: ${key}`)
    await store.delete(key)
  }
  const looks: Look[] = []
  for (const spec of specs) looks.push(await look(request, spec))
  const columns = looks.map(({ column }) => column)
  const isWhole = columns.every(({ missing }) => missing.length === 0)
  const added = isWhole ? new Map() : await computeShards(request, columns)
  const results: ExtractionResult[] = []
  for (const one of looks) results.push(await certify(request, one, added))
  return results
}
