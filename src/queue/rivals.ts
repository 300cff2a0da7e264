// Owns what overlapping extractions owe each other: samples that somebody else's shard is computing
// now are waited for, and their rows copied.
import type { PlannedShard } from '../extract/column.js'

/** [first, last] of a shard's sorted keys. */
const rangeOf = ({ keys }: PlannedShard): readonly [string, string] => [
  keys.at(0) ?? '',
  keys.at(-1) ?? '',
]

const sharesSample = (one: PlannedShard, other: PlannedShard): boolean => {
  const keys = new Set(one.keys)
  return other.keys.some((key) => keys.has(key))
}

/** Index of the first shard of a plan that ends at or after a key. */
const firstEndingAt = (plan: readonly PlannedShard[], key: string): number => {
  let [low, high] = [0, plan.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((plan[middle]?.keys.at(-1) ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Shards of another plan that hold samples of this shard and are not this shard itself.
 *
 * @param plan in key order, as planExtraction gives it: its ranges do not overlap.
 */
export const rivalsOf = (
  shard: PlannedShard,
  plan: readonly PlannedShard[],
): readonly PlannedShard[] => {
  const [first, last] = rangeOf(shard)
  const rivals: PlannedShard[] = []
  for (let index = firstEndingAt(plan, first); index < plan.length; index += 1) {
    const other = plan[index] as PlannedShard
    if (rangeOf(other)[0] > last) break
    if (other.storeKey !== shard.storeKey && sharesSample(shard, other)) rivals.push(other)
  }
  return rivals
}
