// Owns the plan of an extraction, kept between jobs: hashing a million sample keys for each of their
// shards would cost more than computing them.
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import { planExtraction } from '../extract/plan.js'
import type { PlannedShard } from '../extract/shards.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { keepLast } from './keep-last.js'
import { loadExtractorSpec } from './load-extractor.js'

export interface Plan {
  readonly spec: ExtractorSpec
  readonly dataset: Dataset
  /** In key order. */
  readonly planned: readonly PlannedShard[]
}

/** @throws NOT_FOUND, STORE_CORRUPT. */
export type LoadPlan = (extractorId: Sha256, datasetId: Sha256) => Promise<Plan>

export const createPlanCache = (store: Store): LoadPlan => {
  const load = keepLast(async (key): Promise<Plan> => {
    const [extractorId = '', datasetId = ''] = key.split(' ')
    const spec = await loadExtractorSpec(store, extractorId)
    const dataset = await loadDataset(store, datasetId)
    const keys = dataset.samples.map((sample) => sample.key)
    return { spec, dataset, planned: planExtraction(spec, keys) }
  })
  return (extractorId, datasetId) => load(`${extractorId} ${datasetId}`)
}
