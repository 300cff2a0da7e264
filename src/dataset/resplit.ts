// Owns giving a loaded dataset other splits, by key: a new dataset over the same content. Pure.
import { datasetIdOf } from './dataset-id.js'
import type { SplitSpec } from './spec.js'
import { assignSplits } from './split.js'
import type { Dataset } from './types.js'

/** The dataset with its splits made by key. */
export const resplit = (dataset: Dataset, split: SplitSpec): Dataset => {
  const groupOf = (label: readonly number[]) =>
    dataset.target.kind === 'single' ? (label[0] ?? 0) : 0
  const splits = assignSplits(
    dataset.samples.map(({ key, label }) => ({ key, group: groupOf(label) })),
    split,
  )
  const samples = dataset.samples.map((sample, i) => ({
    ...sample,
    split: splits[i] ?? sample.split,
  }))
  const { content, contentId, target } = dataset
  return { ...dataset, samples, datasetId: datasetIdOf({ content, contentId, samples, target }) }
}
