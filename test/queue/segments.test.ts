import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { planShards } from '../../src/features/chunk.js'
import { shardStoreKey } from '../../src/features/shard-name.js'
import { sha256 } from '../../src/identity/hash.js'
import { planSegments } from '../../src/queue/segments.js'

const planOf = (extractor: string, keys: readonly string[], rows: number) =>
  planShards(keys, rows).map((own) => ({
    keys: own,
    storeKey: shardStoreKey(sha256(extractor), own),
  }))

const keysOf = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => sha256(`sample ${i}`)).sort()

it('a segment of one extractor is a shard, under the name of the shard', () => {
  const plan = planOf('a', keysOf(300), 16)
  const segments = planSegments([plan])
  expect(segments.map(({ storeKey, keys }) => ({ storeKey, keys }))).toEqual(plan)
})

it('segments hold every shard of every extractor once, whole, over the same samples', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.array(fc.constantFrom(1, 2, 8, 32), { minLength: 1, maxLength: 4 }),
      (count, sizes) => {
        const keys = keysOf(count)
        const plans = sizes.map((size, i) => planOf(`extractor ${i}`, keys, size))
        const segments = planSegments(plans)
        expect(segments.flatMap((segment) => segment.keys)).toEqual(keys)
        for (const [i, plan] of plans.entries())
          expect(segments.flatMap(({ shards }) => shards[i] ?? [])).toEqual(plan)
        for (const { keys: own, shards } of segments)
          for (const list of shards) expect(list.flatMap((shard) => shard.keys)).toEqual(own)
        expect(new Set(segments.map(({ storeKey }) => storeKey)).size).toBe(segments.length)
      },
    ),
    { numRuns: 60 },
  )
})

it('another set of extractors has other segments, though it shares shards', () => {
  const keys = keysOf(50)
  const [a, b, c] = ['a', 'b', 'c'].map((name) => planOf(name, keys, 8))
  if (a === undefined || b === undefined || c === undefined) throw new Error('no plans')
  const names = (plans: Parameters<typeof planSegments>[0]) =>
    planSegments(plans).map(({ storeKey }) => storeKey)
  expect(names([a, b])).not.toEqual(names([b, c]))
  expect(names([a, b])).toEqual(names([a, b]))
})
