// Owns the join of features with labels, by sample key. Copies no feature.
import type { Dataset, Sample } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { OpenFeatures } from '../features/open-features.js'
import type { TrainingData } from '../head/types.js'
import type { Sha256 } from '../identity/hash.js'

/** The samples of the keys; both are sorted by key. */
const samplesOf = (samples: readonly Sample[], keys: readonly Sha256[]): Sample[] => {
  let next = 0
  return keys.map((key) => {
    while ((samples[next]?.key ?? key) < key) next += 1
    const sample = samples[next]
    if (sample?.key !== key)
      throw new HeadstartError('FEATURES_MISMATCH', `the dataset has no sample ${key}`)
    return sample
  })
}

/** Classes that have a sample in train. */
const trainedClasses = (samples: readonly Sample[]): ReadonlySet<number> => {
  const classes = new Set<number>()
  for (const { split, label } of samples)
    if (split === 'train') for (const index of label) classes.add(index)
  return classes
}

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
 * Training data in key order.
 *
 * @param features of all views; what is in quarantine in any of them is left out there.
 * @throws DATASET_CLASS_TOO_SMALL when quarantine left a class without a training sample;
 *   FEATURES_MISMATCH when the features are not those of this dataset.
 */
export const joinTrainingData = (
  dataset: Dataset,
  { source, keys }: Pick<OpenFeatures, 'source' | 'keys'>,
  featureShape: readonly number[],
): TrainingData => {
  const samples = samplesOf(dataset.samples, keys)
  assertClassesLeft(dataset, samples)
  return {
    features: source,
    rows: keys.length,
    width: source.width,
    featureShape,
    target: dataset.target,
    labels: samples.map(({ label }) => label),
    splits: samples.map(({ split }) => split),
  }
}
