// Owns one object of a store whole: its document, its names, its size and what needs it.
import type { StoredDataset } from '../dataset/save.js'
import { HeadstartError } from '../errors.js'
import type { BaseRecord } from '../extractor/base/load.js'
import { type CompiledRecord, loadCompiledRecord } from '../extractor/compile/record.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { FeatureSet } from '../features/feature-set.js'
import type { Sha256 } from '../identity/hash.js'
import { findRun } from '../model/find-run.js'
import type { RunRecord } from '../model/run-record.js'
import type { Store } from '../store/port.js'
import { type CatalogKind, type DocumentOf, LAYOUT, listUnits, loadDocument } from './documents.js'
import { findId, nameKindOf } from './find.js'
import { loadNames, type NameEntry, namesOf } from './names.js'
import { loadExtractorSpec, loadReferences } from './references.js'

interface Shown<K extends CatalogKind> {
  readonly id: Sha256
  readonly document: DocumentOf<K>
  readonly names: readonly NameEntry[]
  readonly bytes: number
}

type FoundByCatalog = Exclude<CatalogKind, 'run'>

const showDocument = async <K extends FoundByCatalog>(
  store: Store,
  kind: K,
  reference: string,
): Promise<Shown<K>> => {
  const id = await findId(store, kind, reference)
  const document = await loadDocument(store, kind, id)
  if (document === null)
    throw new HeadstartError('NOT_FOUND', `the ${LAYOUT[kind].noun} ${id} was just removed`)
  const [unit] = await listUnits(store, kind, id)
  const nameKind = nameKindOf(kind)
  const { entries } = nameKind === null ? { entries: [] } : await loadNames(store, [nameKind])
  const names = entries.filter((entry) => entry.id === id)
  return { id, document, names, bytes: unit?.bytes ?? 0 }
}

const textsOf = (names: readonly NameEntry[]): string[] => names.map(({ name }) => name)

export interface ShownRun {
  readonly run: RunRecord
  readonly names: readonly string[]
  readonly bytes: number
}

/** @throws NOT_FOUND, REQUEST_INVALID, STORE_CORRUPT; so do all functions of this file. */
export const showRun = async (store: Store, reference: string): Promise<ShownRun> => {
  const run = await findRun(store, reference)
  const [unit] = await listUnits(store, 'run', run.runId)
  const { entries } = await loadNames(store, ['run'])
  return { run, names: namesOf(entries, run.runId), bytes: unit?.bytes ?? 0 }
}

export interface ShownDataset {
  readonly dataset: StoredDataset
  readonly names: readonly { readonly name: string; readonly from: string | null }[]
  readonly bytes: number
  /** Runs that were trained on it. */
  readonly runs: readonly Sha256[]
  /** Features of the same content, whatever its labels. */
  readonly featureSets: readonly Sha256[]
}

export const showDataset = async (store: Store, reference: string): Promise<ShownDataset> => {
  const { document, names, bytes } = await showDocument(store, 'dataset', reference)
  const { runs, featureSets } = await loadReferences(store)
  return {
    dataset: document,
    names: names.map(({ name, from }) => ({ name, from })),
    bytes,
    runs: runs
      .filter(({ datasetId }) => datasetId === document.datasetId)
      .map(({ runId }) => runId),
    featureSets: featureSets
      .filter(({ contentId }) => contentId === document.contentId)
      .map(({ featureSetId }) => featureSetId),
  }
}

export interface ShownBase {
  readonly base: BaseRecord
  /** Its form for onnxruntime, and how far the engines are apart; null when it has none yet. */
  readonly compiled: CompiledRecord | null
  readonly names: readonly string[]
  readonly bytes: number
  readonly runs: readonly Sha256[]
  readonly featureSets: readonly Sha256[]
}

export const showBase = async (store: Store, reference: string): Promise<ShownBase> => {
  const { id, document, names, bytes } = await showDocument(store, 'base', reference)
  const { runs, featureSets, baseOfExtractor } = await loadReferences(store)
  return {
    base: document,
    compiled: await loadCompiledRecord(store, id),
    names: textsOf(names),
    bytes,
    runs: runs.filter(({ baseId }) => baseId === id).map(({ runId }) => runId),
    featureSets: featureSets
      .filter(({ extractorId }) => baseOfExtractor.get(extractorId) === id)
      .map(({ featureSetId }) => featureSetId),
  }
}

export interface ShownFeatureSet {
  readonly featureSet: FeatureSet
  /** Null when its document is gone; the shards hold the spec too. */
  readonly extractor: ExtractorSpec | null
  /** Bytes of its shards. */
  readonly bytes: number
  readonly runs: readonly Sha256[]
}

export const showFeatureSet = async (store: Store, reference: string): Promise<ShownFeatureSet> => {
  const { id, document } = await showDocument(store, 'featureSet', reference)
  const { runs } = await loadReferences(store)
  return {
    featureSet: document,
    extractor: await loadExtractorSpec(store, document.extractorId),
    bytes: document.shards.reduce((sum, { bytes }) => sum + bytes, 0),
    runs: runs.filter(({ featureSetIds }) => featureSetIds.includes(id)).map(({ runId }) => runId),
  }
}
