import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planShards } from '../../src/features/chunk.js'
import { type Sha256, sha256 } from '../../src/identity/hash.js'

const MAX_FACTOR = 8

/** Real keys: uniform, so that shards end about every `shardRows` keys. */
const uniformKey = fc.nat(100_000).map((n) => sha256(`key ${n}`))
/** Keys that never end a shard by themselves for shardRows > 1, so that only the forced cut does. */
const crowdedKey = uniformKey.map((key) => `${key.slice(0, -8)}00000001`)
const keysOf = (key: fc.Arbitrary<Sha256>) =>
  fc.uniqueArray(key, { maxLength: 300 }).map((keys) => keys.sort())
const keySet = fc.oneof(
  keysOf(uniformKey),
  keysOf(crowdedKey),
  keysOf(fc.oneof(uniformKey, crowdedKey)),
)
const shardRows = fc.constantFrom(1, 2, 4, 8, 16)

const endsShard = (key: Sha256, rows: number): boolean => BigInt(`0x${key}`) % BigInt(rows) === 0n

/** Maximal runs of keys that end with a key which ends a shard: what forced cuts cannot cross. */
const runsOf = (keys: readonly Sha256[], rows: number): Sha256[][] => {
  const runs: Sha256[][] = [[]]
  for (const key of keys) {
    runs.at(-1)?.push(key)
    if (endsShard(key, rows)) runs.push([])
  }
  return runs.filter((run) => run.length > 0)
}

const textOf = (shard: readonly Sha256[]): string => shard.join()

describe('planning shards', () => {
  it('keeps every key once, in order, and makes no empty shard', () => {
    fc.assert(
      fc.property(keySet, shardRows, (keys, rows) => {
        const shards = planShards(keys, rows)
        expect(shards.flat()).toEqual(keys)
        expect(shards.every((shard) => shard.length > 0)).toBe(true)
      }),
    )
  })

  it('ends a shard after each key whose lowest bits are zero, and after 8 x the target at the latest', () => {
    fc.assert(
      fc.property(keySet, shardRows, (keys, rows) => {
        planShards(keys, rows).forEach((shard, i, shards) => {
          expect(shard.length).toBeLessThanOrEqual(rows * MAX_FACTOR)
          expect(shard.slice(0, -1).some((key) => endsShard(key, rows))).toBe(false)
          const last = i === shards.length - 1
          const ended = endsShard(shard.at(-1) ?? '', rows) || shard.length === rows * MAX_FACTOR
          expect(last || ended).toBe(true)
        })
      }),
    )
  })

  it('cuts each run between two ending keys on its own: no key moves a boundary of another run', () => {
    fc.assert(
      fc.property(keySet, shardRows, (keys, rows) => {
        const byRun = runsOf(keys, rows).flatMap((run) => planShards(run, rows))
        expect(planShards(keys, rows)).toEqual(byRun)
      }),
    )
  })

  it('changes, for one key, nothing outside of its run and nothing before it', () => {
    fc.assert(
      fc.property(keySet, fc.oneof(uniformKey, crowdedKey), shardRows, (keys, added, rows) => {
        fc.pre(!keys.includes(added))
        const more = new Set(planShards([...keys, added].sort(), rows).map(textOf))
        const runsBefore = keys.filter((key) => endsShard(key, rows) && key < added).length
        const run = new Set(runsOf(keys, rows)[runsBefore])
        for (const shard of planShards(keys, rows)) {
          const last = shard.at(-1) ?? ''
          const closed = endsShard(last, rows) || shard.length === rows * MAX_FACTOR
          // Read the other way round, the same holds for a key that is removed.
          if (!run.has(last) || (closed && last < added)) expect(more).toContain(textOf(shard))
        }
      }),
    )
  })

  it('changes one shard for one key wherever no shard reaches the forced cut', () => {
    const near = keysOf(uniformKey)
    fc.assert(
      fc.property(near, uniformKey, fc.constantFrom(4, 8, 16), (keys, added, rows) => {
        fc.pre(!keys.includes(added))
        const before = planShards(keys, rows)
        const after = planShards([...keys, added].sort(), rows)
        fc.pre([...before, ...after].every((shard) => shard.length < rows * MAX_FACTOR))
        const [old, now] = [new Set(before.map(textOf)), new Set(after.map(textOf))]
        // One shard gives way to one, or to two where the added key itself ends a shard.
        expect([...old].filter((shard) => !now.has(shard)).length).toBeLessThanOrEqual(1)
        expect([...now].filter((shard) => !old.has(shard)).length).toBeLessThanOrEqual(
          endsShard(added, rows) ? 2 : 1,
        )
      }),
    )
  })

  it('lets datasets that overlap share their shards', () => {
    const keys = Array.from({ length: 5000 }, (_, i) => sha256(`${i}`)).sort()
    const most = keys.filter((_, i) => i < 1000 || i > 1010)
    const shared = new Set(planShards(keys, 64).map(textOf))
    const plan = planShards(most, 64)
    expect(plan.length).toBeGreaterThan(50)
    expect(plan.filter((shard) => !shared.has(textOf(shard))).length).toBe(1)
  })

  it('makes shards of about the target size out of uniform keys', () => {
    const keys = Array.from({ length: 65_536 }, (_, i) => sha256(`${i}`)).sort()
    const shards = planShards(keys, 256)
    expect(shards.length).toBeGreaterThan(200)
    expect(shards.length).toBeLessThan(320)
  })

  it('makes no shard of no keys', () => {
    expect(planShards([])).toEqual([])
  })

  it.each([0, -2, 0.5, 3, 2 ** 21, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses %s as the rows of a shard',
    (rows) => {
      expect(() => planShards([], rows)).toThrow(RangeError)
    },
  )
})
