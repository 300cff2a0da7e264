// Owns which shards are computed by one job. Extractors that share a forward pass may cut the same
// samples into shards of different sizes: a segment ends where shards of all of them end, so that it
// holds whole shards. Pure.
import type { PlannedShard } from '../extract/column.js'
import { type Sha256, sha256 } from '../identity/hash.js'

/** `storeKey` is what its job is called by: that of its only shard, or one made of those of all shards. */
export interface Segment extends PlannedShard {
  /** One list an extractor, in their order: the shards that hold these keys. */
  readonly shards: readonly (readonly PlannedShard[])[]
}

const endOf = ({ keys }: PlannedShard): Sha256 => keys.at(-1) ?? ''

const segmentOf = (shards: readonly (readonly PlannedShard[])[]): Segment => {
  const storeKeys = shards.flatMap((list) => list.map(({ storeKey }) => storeKey))
  const [only = ''] = storeKeys
  return {
    keys: (shards[0] ?? []).flatMap(({ keys }) => keys),
    storeKey: storeKeys.length === 1 ? only : `segments/${sha256(storeKeys.join('\n'))}`,
    shards,
  }
}

/**
 * @param plans one an extractor, over the same samples, each in key order.
 * @returns the segments in key order. With one plan each shard is a segment.
 */
export const planSegments = (plans: readonly (readonly PlannedShard[])[]): Segment[] => {
  const [first, ...others] = plans
  if (first === undefined) return []
  const ends = others.map((plan) => new Set(plan.map(endOf)))
  const next = others.map(() => 0)
  const segments: Segment[] = []
  let own: PlannedShard[] = []
  for (const shard of first) {
    own.push(shard)
    const end = endOf(shard)
    if (!ends.every((set) => set.has(end))) continue
    const rest = others.map((plan, i) => {
      const from = next[i] as number
      let to = from
      while (to < plan.length && endOf(plan[to] as PlannedShard) <= end) to += 1
      next[i] = to
      return plan.slice(from, to)
    })
    segments.push(segmentOf([own, ...rest]))
    own = []
  }
  return segments
}
