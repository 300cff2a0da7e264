// Owns the join of features with labels, by sample key. Copies features only where samples are left out.
import type { Dataset } from '../dataset/types.js'
import type { FeatureBlock } from '../features/feature-set.js'
import type { TrainingData } from '../head/types.js'
import type { Sha256 } from '../identity/hash.js'

/** Keys of all blocks that every block has, in order. */
const commonKeys = (blocks: readonly FeatureBlock[]): readonly Sha256[] => {
  const [first, ...others] = blocks
  const sets = others.map(({ keys }) => new Set(keys))
  return (first?.keys ?? []).filter((key) => sets.every((set) => set.has(key)))
}

const selectRows = ({ keys, values, width }: FeatureBlock, wanted: readonly Sha256[]) => {
  if (keys.length === wanted.length) return values
  const selected = new Float32Array(wanted.length * width)
  const rowOf = new Map(keys.map((key, row) => [key, row]))
  wanted.forEach((key, to) => {
    const from = rowOf.get(key) ?? 0
    selected.set(values.subarray(from * width, (from + 1) * width), to * width)
  })
  return selected
}

/**
 * Training data in key order; samples that are in quarantine in any view are left out.
 *
 * @param blocks one a view, view 0 first.
 */
export const joinTrainingData = (
  dataset: Dataset,
  blocks: readonly FeatureBlock[],
  featureShape: readonly number[],
): TrainingData => {
  const keys = commonKeys(blocks)
  const sampleOf = new Map(dataset.samples.map((sample) => [sample.key, sample]))
  const samples = keys.flatMap((key) => sampleOf.get(key) ?? [])
  return {
    views: blocks.map((block) => selectRows(block, keys)),
    rows: keys.length,
    width: blocks[0]?.width ?? 0,
    featureShape,
    target: dataset.target,
    labels: samples.map(({ label }) => label),
    splits: samples.map(({ split }) => split),
  }
}
