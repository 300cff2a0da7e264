// Owns the plan of an extraction, kept between jobs: hashing a million sample keys for each of their
// shards would cost more than computing them.
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import type { PlannedShard } from '../extract/column.js'
import { planExtraction } from '../extract/plan.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { keepLast } from './keep-last.js'
import { loadExtractorSpec } from './load-extractor.js'
import { planSegments, type Segment } from './segments.js'

export interface Plan {
  /** They share a forward pass. */
  readonly specs: readonly ExtractorSpec[]
  readonly dataset: Dataset
  /** One list an extractor, in key order. */
  readonly planned: readonly (readonly PlannedShard[])[]
  /** What one job computes each, in key order. */
  readonly segments: readonly Segment[]
}

/** @throws NOT_FOUND, STORE_CORRUPT. */
export type LoadPlan = (extractorIds: readonly Sha256[], datasetId: Sha256) => Promise<Plan>

export const createPlanCache = (store: Store): LoadPlan => {
  const load = keepLast(async (key): Promise<Plan> => {
    const [datasetId = '', ...extractorIds] = key.split(' ')
    const specs = await Promise.all(extractorIds.map((id) => loadExtractorSpec(store, id)))
    const dataset = await loadDataset(store, datasetId)
    const keys = dataset.samples.map((sample) => sample.key)
    const planned = specs.map((spec) => planExtraction(spec, keys))
    return { specs, dataset, planned, segments: planSegments(planned) }
  })
  return (extractorIds, datasetId) => load([datasetId, ...extractorIds].join(' '))
}
