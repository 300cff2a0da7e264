// Owns what needs what in a store: names, runs and feature sets, and through them datasets, bases,
// extractors and shards. Read only.
import { eachBounded } from '../dataset/each-bounded.js'
import { type ExtractorSpec, extractorKey, extractorSpecSchema } from '../extractor/spec.js'
import type { FeatureSet } from '../features/feature-set.js'
import { SHA256_PATTERN, type Sha256 } from '../identity/hash.js'
import type { RunRecord } from '../model/run-record.js'
import { getJson } from '../store/json.js'
import type { Store } from '../store/port.js'
import { type Damaged, isDamage, loadDocuments } from './documents.js'
import { loadNames, type NameEntry } from './names.js'

/** What a run needs. */
export interface RunReferences {
  readonly runId: Sha256
  readonly baseId: Sha256
  readonly datasetId: Sha256
  readonly extractorIds: readonly Sha256[]
  readonly featureSetIds: readonly Sha256[]
}

/** What a sweep was trained on: it stays even where all its runs were removed. */
export interface SweepReferences {
  readonly sweepId: Sha256
  readonly baseId: Sha256
  readonly datasetId: Sha256
}

export interface References {
  readonly names: readonly NameEntry[]
  readonly runs: readonly RunReferences[]
  readonly sweeps: readonly SweepReferences[]
  readonly featureSets: readonly FeatureSet[]
  /** The base of every extractor that says so somewhere. */
  readonly baseOfExtractor: ReadonlyMap<Sha256, Sha256>
  /** Names, runs, sweeps and feature sets that cannot be read: what they need is not known. */
  readonly damaged: readonly Damaged[]
}

const PARALLEL_LOADS = 16

const referencesOf = (run: RunRecord): RunReferences => ({
  runId: run.runId,
  baseId: run.base.id,
  datasetId: run.dataset.datasetId,
  extractorIds: run.extractors.map(({ extractorId }) => extractorId),
  featureSetIds: run.extractors.map(({ featureSetId }) => featureSetId),
})

/** The spec of an extractor; null when it is not there or damaged: its shards hold it too. */
export const loadExtractorSpec = async (
  store: Store,
  extractorId: Sha256,
): Promise<ExtractorSpec | null> => {
  try {
    return await getJson(store, extractorKey(extractorId), extractorSpecSchema)
  } catch (error) {
    if (isDamage(error)) return null
    throw error
  }
}

const listExtractorIds = async (store: Store): Promise<Sha256[]> => {
  const ids: Sha256[] = []
  for await (const { key } of store.list('extractors/')) {
    const id = key.slice('extractors/'.length, -'.json'.length)
    if (SHA256_PATTERN.test(id) && key === extractorKey(id)) ids.push(id)
  }
  return ids
}

/** The specs of all extractors that can be read. */
export const loadExtractorSpecs = async (
  store: Store,
): Promise<ReadonlyMap<Sha256, ExtractorSpec>> => {
  const specs = new Map<Sha256, ExtractorSpec>()
  await eachBounded(await listExtractorIds(store), PARALLEL_LOADS, async (id) => {
    const spec = await loadExtractorSpec(store, id)
    if (spec !== null) specs.set(id, spec)
  })
  return specs
}

/** Reads every reference that the store holds. */
export const loadReferences = async (store: Store): Promise<References> => {
  const names = await loadNames(store)
  const runs = await loadDocuments(store, 'run')
  const sweeps = await loadDocuments(store, 'sweep')
  const featureSets = await loadDocuments(store, 'featureSet')
  const baseOfExtractor = new Map<Sha256, Sha256>()
  const runReferences = runs.documents.map(({ document }) => referencesOf(document))
  for (const { extractorIds, baseId } of runReferences)
    for (const extractorId of extractorIds) baseOfExtractor.set(extractorId, baseId)
  for (const [id, spec] of await loadExtractorSpecs(store)) baseOfExtractor.set(id, spec.base.id)
  return {
    names: names.entries,
    runs: runReferences,
    sweeps: sweeps.documents.map(({ document: { sweepId, base, dataset } }) => ({
      sweepId,
      baseId: base.id,
      datasetId: dataset.datasetId,
    })),
    featureSets: featureSets.documents.map(({ document }) => document),
    baseOfExtractor,
    damaged: [...names.damaged, ...runs.damaged, ...sweeps.damaged, ...featureSets.damaged],
  }
}
