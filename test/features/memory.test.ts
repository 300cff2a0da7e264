import { totalmem } from 'node:os'
import { describe, expect, it } from 'vitest'
import { defaultMemoryBytes } from '../../src/features/memory-budget.js'
import { planMemory } from '../../src/features/memory-plan.js'
import type { FeaturePlan } from '../../src/features/plan-chunks.js'

const MIB = 2 ** 20

/** 1,600 MiB a view in shards of up to 100 MiB. */
const planOf = (views: number): FeaturePlan => ({
  width: 2048,
  rows: 204_800,
  chunks: [],
  excluded: new Set(),
  largestBytes: Array.from({ length: views }, () => 100 * MIB),
})

describe('a memory budget', () => {
  it('that holds the features and what reading them takes keeps them in memory', () => {
    expect(planMemory(planOf(1), 1800 * MIB)).toMatchObject({ kind: 'resident', loaders: 1 })
    expect(planMemory(planOf(1), 1799 * MIB)).toMatchObject({ kind: 'streamed' })
    expect(planMemory(planOf(2), 3800 * MIB)).toMatchObject({ kind: 'resident', loaders: 3 })
  })

  it.each([
    [1, 1000, 3],
    [1, 500, 2],
    [1, 300, 2],
    [1, 299, 1],
    [1, 200, 1],
    [2, 1000, 2],
    [2, 499, 1],
  ])(
    'of %s view(s) in %s MiB streams %s chunks at once, within the budget',
    (views, mib, chunks) => {
      const plan = planMemory(planOf(views), mib * MIB)
      expect(plan).toMatchObject({ kind: 'streamed', chunksInMemory: chunks })
      expect((chunks * views + 1) * 100).toBeLessThanOrEqual(mib)
      expect(plan.loaders * 200).toBeLessThanOrEqual(Math.max(200, mib))
    },
  )

  it('that does not hold one chunk of all views is refused with both numbers', () => {
    expect(() => planMemory(planOf(1), 199 * MIB)).toThrow(
      /takes 0\.21 GB in 1 view\(s\); 0\.21 GB/,
    )
    expect(() => planMemory(planOf(3), 399 * MIB)).toThrow(
      expect.objectContaining({ code: 'FEATURES_TOO_LARGE' }) as Error,
    )
  })

  it('is a share of the memory that this process may use when nobody says', () => {
    expect(defaultMemoryBytes()).toBeGreaterThan(0)
    expect(defaultMemoryBytes()).toBeLessThanOrEqual(0.7 * totalmem())
  })
})
