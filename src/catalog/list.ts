// Owns the summaries of what a store holds, one line's worth each. Reads documents, never content.
import type { StoredDataset } from '../dataset/save.js'
import type { BaseRecord } from '../extractor/base/load.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import type { FeatureSet } from '../features/feature-set.js'
import type { SplitMetrics } from '../head/types.js'
import type { Sha256 } from '../identity/hash.js'
import type { RunRecord } from '../model/run-record.js'
import type { Store } from '../store/port.js'
import { type Damaged, loadDocuments } from './documents.js'
import { loadNames, type NameEntry, namesOf } from './names.js'
import { loadExtractorSpecs } from './references.js'
import type { NamedRun } from './run-fields.js'
import { type RunQuery, runQuerySchema, selectRuns } from './run-query.js'
import { runsOfSweep } from './sweeps.js'

export interface Listing<T> {
  readonly items: readonly T[]
  /** Documents that cannot be read; they belong to no item. */
  readonly damaged: readonly Damaged[]
}

/** The metrics of one split without its tables. `score` is accuracy, for regression R2. */
export interface KeyMetrics {
  readonly kind: SplitMetrics['kind']
  readonly samples: number
  readonly loss: number
  readonly score: number
}

export interface RunSummary {
  readonly id: Sha256
  readonly names: readonly string[]
  /** ISO 8601. */
  readonly createdAt: string
  readonly base: { readonly id: Sha256; readonly from: string; readonly cut: string }
  readonly dataset: {
    readonly id: Sha256
    readonly from: string
    readonly samples: RunRecord['dataset']['samples']
  }
  readonly views: number
  readonly head: RunRecord['head']
  readonly seed: number
  readonly metrics: {
    readonly train: KeyMetrics | null
    readonly validation: KeyMetrics | null
    readonly test: KeyMetrics | null
  }
  /** Bytes of all objects of the run. */
  readonly bytes: number
}

export const keyMetricsOf = (metrics: SplitMetrics | undefined): KeyMetrics | null => {
  if (metrics === undefined) return null
  const { kind, samples, loss } = metrics
  const score = metrics.kind === 'regression' ? metrics.r2 : metrics.accuracy
  return { kind, samples, loss, score }
}

export interface ListedRun extends NamedRun {
  /** Of all objects of the run. */
  readonly bytes: number
}

/** One line's worth of a run. */
export const summarizeRun = ({ run, names, bytes }: ListedRun): RunSummary => ({
  id: run.runId,
  names,
  createdAt: run.createdAt,
  base: { ...run.base, cut: run.extractor.cut },
  dataset: { id: run.dataset.datasetId, from: run.dataset.from, samples: run.dataset.samples },
  views: run.extractors.length,
  head: run.head,
  seed: run.seed,
  metrics: {
    train: keyMetricsOf(run.metrics.train),
    validation: keyMetricsOf(run.metrics.validation),
    test: keyMetricsOf(run.metrics.test),
  },
  bytes,
})

/**
 * The published runs that a query asks for, as their records say; by default all, newest first. Equal
 * ones keep the order of their ids, so that the list is the same every time.
 *
 * @throws REQUEST_INVALID for unknown fields; NOT_FOUND for an unknown sweep.
 */
export const findRuns = async (
  store: Store,
  query: RunQuery = runQuerySchema.parse({}),
): Promise<Listing<ListedRun>> => {
  const sweep = query.sweep === undefined ? null : await runsOfSweep(store, query.sweep)
  const { documents, damaged } = await loadDocuments(store, 'run')
  const names = await loadNames(store)
  const idsOf = (kind: NameEntry['kind'], id: Sha256): string[] =>
    namesOf(
      names.entries.filter((entry) => entry.kind === kind),
      id,
    )
  const named = documents.map(({ document: run, unit }) => ({
    run,
    names: idsOf('run', run.runId),
    baseNames: idsOf('base', run.base.id),
    datasetNames: idsOf('dataset', run.dataset.datasetId),
    bytes: unit.bytes,
  }))
  const isOfRun = ({ key }: Damaged): boolean => key.startsWith('names/run/')
  return {
    items: selectRuns(named, query, sweep),
    damaged: [...damaged, ...names.damaged.filter(isOfRun)],
  }
}

/** As findRuns, one line's worth each. */
export const listRuns = async (store: Store, query?: RunQuery): Promise<Listing<RunSummary>> => {
  const { items, damaged } = await findRuns(store, query)
  return {
    items: items.map(summarizeRun),
    damaged,
  }
}

export interface DatasetSummary {
  readonly id: Sha256
  readonly names: readonly string[]
  readonly contentId: Sha256
  readonly content: StoredDataset['content']
  readonly target: StoredDataset['target']['kind']
  /** Classes, or outputs of a regression. */
  readonly classes: number
  readonly samples: number
  readonly splits: { readonly train: number; readonly validation: number; readonly test: number }
  /** Bytes of the index; the content stays where it is. */
  readonly bytes: number
}

/** All saved datasets in the order of their ids. */
export const listDatasets = async (store: Store): Promise<Listing<DatasetSummary>> => {
  const { documents, damaged } = await loadDocuments(store, 'dataset')
  const names = await loadNames(store, ['dataset'])
  const items = documents.map(({ document, unit }) => {
    const { target, counts } = document
    return {
      id: unit.id,
      names: namesOf(names.entries, unit.id),
      contentId: document.contentId,
      content: document.content,
      target: target.kind,
      classes: target.kind === 'regression' ? target.outputs.length : target.classes.length,
      samples: document.samples,
      splits: {
        train: counts.train.samples,
        validation: counts.validation.samples,
        test: counts.test.samples,
      },
      bytes: unit.bytes,
    }
  })
  return { items, damaged: [...damaged, ...names.damaged] }
}

export interface BaseSummary {
  readonly id: Sha256
  readonly names: readonly string[]
  readonly format: BaseRecord['format']
  readonly parameters: number
  readonly inputShape: BaseRecord['inputShape']
  /** How many layers or outputs can be cut. */
  readonly cuts: number
  readonly bytes: number
}

/** All registered bases in the order of their ids. */
export const listBases = async (store: Store): Promise<Listing<BaseSummary>> => {
  const { documents, damaged } = await loadDocuments(store, 'base')
  const names = await loadNames(store, ['base'])
  const items = documents.map(({ document, unit }) => ({
    id: unit.id,
    names: namesOf(names.entries, unit.id),
    format: document.format,
    parameters: document.parameters,
    inputShape: document.inputShape,
    cuts: document.cuts.length,
    bytes: unit.bytes,
  }))
  return { items, damaged: [...damaged, ...names.damaged] }
}

export interface FeatureSetSummary {
  readonly id: Sha256
  readonly extractorId: Sha256
  readonly contentId: Sha256
  /** Null when the extractor's document is gone; the shards hold the spec too. */
  readonly extractor: {
    readonly base: Sha256
    readonly cut: string
    readonly pooling: ExtractorSpec['pooling']
    readonly engine: ExtractorSpec['engine']
    /** 0 is the plain view. */
    readonly view: number
  } | null
  readonly featureShape: readonly number[]
  readonly rows: number
  readonly quarantined: number
  readonly shards: number
  /** Bytes of its shards; feature sets that overlap share shards. */
  readonly bytes: number
}

export const viewIndexOf = ({ view }: ExtractorSpec): number =>
  view.kind === 'plain' ? 0 : view.index

const summarizeFeatureSet = (
  set: FeatureSet,
  spec: ExtractorSpec | undefined,
): FeatureSetSummary => ({
  id: set.featureSetId,
  extractorId: set.extractorId,
  contentId: set.contentId,
  extractor:
    spec === undefined
      ? null
      : {
          base: spec.base.id,
          cut: spec.cut,
          pooling: spec.pooling,
          engine: spec.engine,
          view: viewIndexOf(spec),
        },
  featureShape: set.featureShape,
  rows: set.rows,
  quarantined: set.quarantine.length,
  shards: set.shards.length,
  bytes: set.shards.reduce((sum, { bytes }) => sum + bytes, 0),
})

/** All feature sets in the order of their ids. */
export const listFeatureSets = async (store: Store): Promise<Listing<FeatureSetSummary>> => {
  const { documents, damaged } = await loadDocuments(store, 'featureSet')
  const specs = await loadExtractorSpecs(store)
  const items = documents.map(({ document }) =>
    summarizeFeatureSet(document, specs.get(document.extractorId)),
  )
  return { items, damaged }
}
