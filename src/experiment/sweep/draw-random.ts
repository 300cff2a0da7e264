// Owns the draws of a random search. Pure and seeded: every field has a stream of its own, so another
// field or a larger count leaves the draws that there were as they are.
import { createRandom } from '../../head/random.js'
import type { JsonValue } from '../../identity/canonical-json.js'
import type { Combination } from './combination.js'
import type { RandomSearch, Range } from './random-schema.js'

/** Four digits: learning rates need no more, and the last bits of Math.exp differ between machines. */
const DIGITS = 4

const rounded = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, Number(value.toPrecision(DIGITS))))

/** @param u uniform in [0, 1). */
const valueIn = (range: Range, u: number): number => {
  if ('int' in range) {
    const [least, most] = range.int
    return least + Math.floor(u * (most - least + 1))
  }
  if ('uniform' in range) {
    const [least, most] = range.uniform
    return rounded(least + u * (most - least), least, most)
  }
  const [least, most] = range.logUniform
  return rounded(least * (most / least) ** u, least, most)
}

/** The combination of one draw. */
export const drawCombination = ({ random, seed }: RandomSearch, draw: number): Combination =>
  Object.fromEntries(
    Object.entries(random).map(([field, from]) => {
      const stream = createRandom(seed, 'sweep', field, draw)
      return Array.isArray(from)
        ? [field, from[stream.below(from.length)] as JsonValue]
        : [field, valueIn(from as Range, stream.float())]
    }),
  )
