// Owns what overlapping extractions owe each other: samples that somebody else's shard is computing
// now are waited for, and their rows copied.
import type { PlannedShard } from '../extract/shards.js'

/** [first, last] of a shard's sorted keys. */
const rangeOf = ({ keys }: PlannedShard): readonly [string, string] => [
  keys.at(0) ?? '',
  keys.at(-1) ?? '',
]

const sharesSample = (one: PlannedShard, other: PlannedShard): boolean => {
  const keys = new Set(one.keys)
  return other.keys.some((key) => keys.has(key))
}

/**
 * Shards of another plan that hold samples of this shard and are not this shard itself.
 *
 * @param plan in key order, as planExtraction gives it.
 */
export const rivalsOf = (
  shard: PlannedShard,
  plan: readonly PlannedShard[],
): readonly PlannedShard[] => {
  const [first, last] = rangeOf(shard)
  return plan.filter((other) => {
    const [otherFirst, otherLast] = rangeOf(other)
    return (
      other.storeKey !== shard.storeKey &&
      otherFirst <= last &&
      otherLast >= first &&
      sharesSample(shard, other)
    )
  })
}
