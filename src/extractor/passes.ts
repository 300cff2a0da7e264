// Owns which extractors share a forward pass: the same base, input, view, engine and precision, read at
// different cuts. Pure.
import type { JsonValue } from '../identity/canonical-json.js'
import { type Sha256, sha256OfJson } from '../identity/hash.js'
import type { ExtractorSpec } from './spec.js'

/** The same for two extractors when one forward pass computes both. */
const passOf = ({ cut: _, pooling, featureShape, ...rest }: ExtractorSpec): Sha256 =>
  sha256OfJson(rest as JsonValue)

/** In the order of their first extractor; the order within a group is that of the list. */
export const groupByPass = <T>(
  items: readonly T[],
  specOf: (item: T) => ExtractorSpec,
): readonly (readonly T[])[] => {
  const groups = new Map<Sha256, T[]>()
  for (const item of items) {
    const pass = passOf(specOf(item))
    groups.set(pass, [...(groups.get(pass) ?? []), item])
  }
  return [...groups.values()]
}

/** @throws RangeError unless the extractors share a forward pass, as groupByPass says. */
export const assertOnePass = (specs: readonly ExtractorSpec[]): void => {
  if (groupByPass(specs, (spec) => spec).length !== 1)
    throw new RangeError('the extractors do not share a forward pass')
}
