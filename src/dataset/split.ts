// Owns splits by key: a pure function of a sample's content. No seed, no names, no other samples,
// so a sample stays where it is when others come or go. One exception: see assignSplits.
import type { Sha256 } from '../identity/hash.js'
import type { SplitSpec } from './spec.js'
import type { Split } from './types.js'

const LEADING_HEX = 12
const LEADING_RANGE = 2 ** 48

/** The leading 48 bits of a sample key as a fraction in [0, 1). */
export const fractionOfKey = (key: Sha256): number =>
  Number.parseInt(key.slice(0, LEADING_HEX), 16) / LEADING_RANGE

/** The split of a sample: the key space is cut into train, validation, test, in this order. */
export const splitOfKey = (key: Sha256, { train, validation, test }: SplitSpec): Split => {
  const fraction = fractionOfKey(key)
  // Fractions sum to 1 within a tolerance: the last split that is not empty takes the rest.
  if (fraction < train || (validation === 0 && test === 0)) return 'train'
  return fraction < train + validation || test === 0 ? 'validation' : 'test'
}

export interface Splittable {
  readonly key: Sha256
  /** Samples of one group (a class) need one in train; use 0 where there are no classes. */
  readonly group: number
}

/**
 * The split of each sample by its key. A group without a sample in train gives its sample of the
 * lowest key to train: a class that is never trained on would be useless.
 */
export const assignSplits = (samples: readonly Splittable[], fractions: SplitSpec): Split[] => {
  const splits = samples.map(({ key }) => splitOfKey(key, fractions))
  const lowestOf = new Map<number, number>()
  const trained = new Set<number>()
  samples.forEach(({ key, group }, index) => {
    if (splits[index] === 'train') trained.add(group)
    const lowest = samples[lowestOf.get(group) ?? index]
    if (lowest === undefined || key <= lowest.key) lowestOf.set(group, index)
  })
  for (const [group, index] of lowestOf) if (!trained.has(group)) splits[index] = 'train'
  return splits
}
