// Owns the words of a dataset: sample, target, split. Labels and names stop here; features know keys only.
import type { Sha256 } from '../identity/hash.js'

export const SPLITS = ['train', 'validation', 'test'] as const
export type Split = (typeof SPLITS)[number]

/** What a head is to predict. The order of classes and outputs is the order of the head's units. */
export type Target =
  | { readonly kind: 'single'; readonly classes: readonly string[] }
  | { readonly kind: 'multi'; readonly classes: readonly string[] }
  | { readonly kind: 'regression'; readonly outputs: readonly string[] }

/** What the content bytes of each sample are. */
export type Content =
  | { readonly kind: 'image' }
  /** One row: `shape` without the row axis; the bytes are little-endian float32. */
  | { readonly kind: 'tensor'; readonly dtype: 'float32'; readonly shape: readonly number[] }

/** One distinct content. Files with equal bytes are one sample with several names. */
export interface Sample {
  readonly key: Sha256
  /** Relative POSIX paths (or `row-<n>` for tensors), sorted, at least one. */
  readonly names: readonly string[]
  /** single: one class index; multi: sorted class indices, maybe none; regression: one value an output. */
  readonly label: readonly number[]
  readonly split: Split
}

export interface Dataset {
  readonly datasetId: Sha256
  readonly contentId: Sha256
  readonly content: Content
  readonly target: Target
  /** Sorted by key; keys are unique. */
  readonly samples: readonly Sample[]
  /** What indexing noticed and settled; shown to the user, no part of any id. */
  readonly notes: readonly string[]
}

/** Reads the content of samples. Holds handles: `close` it. */
export interface SampleReader {
  /**
   * The content bytes of a sample; their SHA-256 (for a tensor row: its sample key) was checked.
   *
   * @throws DATASET_CHANGED when no name of the sample has that content any more.
   */
  read(key: Sha256): Promise<Uint8Array>
  /** A name to show for a key. */
  nameOf(key: Sha256): string
  close(): Promise<void>
}

export interface OpenDataset {
  readonly dataset: Dataset
  readonly reader: SampleReader
}
