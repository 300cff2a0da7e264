// Owns the join of features with labels, by sample key. Copies features only where samples are left out.
import type { Dataset, Sample } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { FeatureBlock } from '../features/feature-set.js'
import { residentSource } from '../features/feature-source.js'
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

/** Classes that have a sample in train. */
const trainedClasses = (samples: readonly Sample[]): ReadonlySet<number> =>
  new Set(samples.filter(({ split }) => split === 'train').flatMap(({ label }) => [...label]))

/**
 * A class must not vanish because all its samples are in quarantine: the head would still name it.
 *
 * @throws DATASET_CLASS_TOO_SMALL.
 */
const assertClassesLeft = ({ samples, target }: Dataset, left: readonly Sample[]): void => {
  if (target.kind === 'regression') return
  const after = trainedClasses(left)
  const lost = [...trainedClasses(samples)].filter((label) => !after.has(label))
  if (lost.length === 0) return
  const names = lost.map((label) => target.classes[label] ?? String(label))
  throw new HeadstartError(
    'DATASET_CLASS_TOO_SMALL',
    `every training sample of ${names.join(', ')} is in quarantine`,
    { details: names },
  )
}

/**
 * Training data in key order; samples that are in quarantine in any view are left out.
 *
 * @param blocks one a view, view 0 first.
 * @throws DATASET_CLASS_TOO_SMALL when quarantine left a class without a training sample.
 */
export const joinTrainingData = (
  dataset: Dataset,
  blocks: readonly FeatureBlock[],
  featureShape: readonly number[],
): TrainingData => {
  const keys = commonKeys(blocks)
  const sampleOf = new Map(dataset.samples.map((sample) => [sample.key, sample]))
  const samples = keys.flatMap((key) => sampleOf.get(key) ?? [])
  assertClassesLeft(dataset, samples)
  return {
    features: residentSource(
      blocks.map((block) => selectRows(block, keys)),
      blocks[0]?.width ?? 0,
    ),
    rows: keys.length,
    width: blocks[0]?.width ?? 0,
    featureShape,
    target: dataset.target,
    labels: samples.map(({ label }) => label),
    splits: samples.map(({ split }) => split),
  }
}
