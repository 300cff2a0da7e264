import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PlannedShard } from '../../src/extract/column.js'
import { planShards } from '../../src/features/chunk.js'
import { shardStoreKey } from '../../src/features/shard-name.js'
import { sha256 } from '../../src/identity/hash.js'
import { rivalsOf } from '../../src/queue/rivals.js'

const EXTRACTOR = sha256('an extractor')

const planOf = (numbers: readonly number[]): readonly PlannedShard[] => {
  const keys = [...new Set(numbers)].map((number) => sha256(String(number))).sort()
  return planShards(keys, 4).map((own) => ({ keys: own, storeKey: shardStoreKey(EXTRACTOR, own) }))
}

const numbers = fc.array(fc.nat({ max: 60 }), { maxLength: 60 })

describe('the rivals of a shard', () => {
  it('are exactly the shards of the other plan that hold one of its samples, but not itself', () => {
    fc.assert(
      fc.property(numbers, numbers, (own, others) => {
        const plan = planOf(others)
        for (const shard of planOf(own)) {
          const sharing = plan.filter(
            (other) =>
              other.storeKey !== shard.storeKey &&
              other.keys.some((key) => shard.keys.includes(key)),
          )
          expect(rivalsOf(shard, plan)).toEqual(sharing)
        }
      }),
    )
  })
})
