// Owns the identity of a labelled dataset. Notes are no part of it.
import { createHash } from 'node:crypto'
import { canonicalJson } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import type { Dataset, Sample, Target } from './types.js'

/** A label as a person writes it: class names, or the values of a regression. */
export const labelNamesOf = (target: Target, label: readonly number[]): (string | number)[] =>
  target.kind === 'regression'
    ? [...label]
    : label.map((index) => target.classes[index] ?? `class ${index}`)

const textOfSample = (target: Target, { key, names, label, split }: Sample): string =>
  canonicalJson([key, names, labelNamesOf(target, label), split])

/**
 * `sha256OfJson({ content, contentId, samples: [[key, names, label, split], ...], target })`,
 * computed sample by sample, because the JSON of millions of samples exceeds a string.
 */
export const datasetIdOf = ({
  content,
  contentId,
  samples,
  target,
}: Pick<Dataset, 'content' | 'contentId' | 'samples' | 'target'>): Sha256 => {
  const hash = createHash('sha256')
  hash.update(`{"content":${canonicalJson({ ...content })},"contentId":"${contentId}","samples":[`)
  samples.forEach((sample, index) => {
    hash.update(index === 0 ? textOfSample(target, sample) : `,${textOfSample(target, sample)}`)
  })
  hash.update(`],"target":${canonicalJson({ ...target })}}`)
  return hash.digest('hex')
}
