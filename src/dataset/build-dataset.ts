// Owns what every source shares on the way from named and hashed entries to a dataset.
import { HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { OpenObjects } from '../store/object-source.js'
import { collapse } from './collapse.js'
import { labelDataset } from './labelled.js'
import type { KeyedEntry, RawEntry } from './source.js'
import type { DatasetSpec, SplitSpec, TargetKind } from './spec.js'
import type { Content, Dataset } from './types.js'

export interface IndexRequest {
  readonly spec: DatasetSpec
  /** Splits by key, whatever the source says; undefined: the source's splits, else the default. */
  readonly split?: SplitSpec | undefined
  /** Local folder for remembered hashes. */
  readonly cacheDir: string
  /** Relative paths of the spec start here. */
  readonly baseDir: string
  /** Opens buckets for `s3://` sources. */
  readonly objects: OpenObjects
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** With the target that is meant where none was asked for. */
export interface ResolvedRequest extends IndexRequest {
  readonly spec: DatasetSpec & { readonly target: TargetKind }
}

/** @throws DATASET_INVALID, because the name of a folder is no number to learn. */
export const assertNoRegression = (from: string, target: TargetKind): void => {
  if (target !== 'regression') return
  const message = `${from}: folders give classes; give regression targets in a .csv or .jsonl table`
  throw new HeadstartError('DATASET_INVALID', message)
}

/** @throws REQUEST_INVALID. @param name what the message calls the source. */
export const assertNoLabelFile = (name: string, { labels }: DatasetSpec): void => {
  if (labels === undefined) return
  const message = `dataset.labels: only tensor files take labels, not ${name}`
  throw new HeadstartError('REQUEST_INVALID', message)
}

/** Entries with their content's keys, which are in the order of the entries. */
export const keyEntries = (entries: readonly RawEntry[], keys: readonly Sha256[]): KeyedEntry[] =>
  entries.map(({ name, label, split }, index) => ({ name, label, split, key: keys[index] ?? '' }))

interface Found {
  readonly entries: readonly KeyedEntry[]
  readonly content: Content
  readonly notes: readonly string[]
}

/** @param from what the messages call the dataset. */
export const buildDataset = (
  { spec, split }: ResolvedRequest,
  from: string,
  { entries, content, notes }: Found,
): Dataset => {
  if (entries.length === 0) {
    throw new HeadstartError('DATASET_EMPTY', `no sample was found in ${from}`, { details: notes })
  }
  const collapsed = collapse(entries, spec.target)
  const labels = (function* () {
    for (const { label } of entries) yield label
  })()
  return labelDataset(
    { from, content, target: spec.target, labels, split },
    { samples: collapsed.samples, notes: [...notes, ...collapsed.notes] },
  )
}
