import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gatherRows, planEpoch, rowsOfSplit } from '../../src/head/batches.js'
import { createRandom, permutation } from '../../src/head/random.js'

describe('random streams', () => {
  it('repeat for a key and differ between keys', () => {
    const draw = (...key: (string | number)[]) => {
      const random = createRandom(...key)
      return Array.from({ length: 8 }, () => random.uint32())
    }
    expect(draw(1, 'order', 2)).toEqual(draw(1, 'order', 2))
    expect(draw(1, 'order', 2)).not.toEqual(draw(1, 'order', 3))
    expect(draw(1, 'order', 2)).not.toEqual(draw(12, 'order'))
  })

  it('are pinned, so that a release cannot change what a seed means', () => {
    const random = createRandom(7, 'pinned')
    expect([
      random.uint32(),
      random.uint32(),
      random.below(1000),
      random.float(),
    ]).toMatchInlineSnapshot(`
      [
        3961561449,
        1156359850,
        905,
        0.08822041749954224,
      ]
    `)
  })

  it('are uniform: chi-square over 16 buckets of 16,000 draws stays below its 0.9999 quantile', () => {
    const random = createRandom(3, 'uniform')
    const counts = new Array<number>(16).fill(0)
    for (let n = 0; n < 16_000; n += 1) {
      const bucket = Math.floor(random.float() * 16)
      counts[bucket] = (counts[bucket] ?? 0) + 1
    }
    const chi = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
    expect(chi).toBeLessThan(44.3)
  })

  it('permute: every index once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer(), (n, seed) => {
        const sorted = [...permutation(n, createRandom(seed))].sort((a, b) => a - b)
        expect(sorted).toEqual(Array.from({ length: n }, (_, index) => index))
      }),
    )
  })
})

describe('an epoch', () => {
  it('trains every train row once, in an order and with views of (seed, epoch) alone', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('train', 'validation', 'test'), { maxLength: 80 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        fc.integer({ min: 1, max: 50 }),
        (splits, views, seed, epoch) => {
          const rows = rowsOfSplit(splits, 'train')
          const plan = planEpoch(rows, views, seed, epoch)
          expect([...plan.rows].sort((a, b) => a - b)).toEqual([...rows])
          expect(plan).toEqual(planEpoch(rows, views, seed, epoch))
          expect(plan.views.length).toBe(views > 1 ? rows.length : 0)
          expect(plan.views.every((view) => view < views)).toBe(true)
        },
      ),
    )
  })

  it('changes order and views from epoch to epoch', () => {
    const rows = Uint32Array.from({ length: 100 }, (_, index) => index)
    const first = planEpoch(rows, 3, 1, 1)
    const second = planEpoch(rows, 3, 1, 2)
    expect(first.rows).not.toEqual(second.rows)
    expect(first.views).not.toEqual(second.views)
    expect(new Set(first.views)).toEqual(new Set([0, 1, 2]))
  })

  it('copies the planned row of the planned view', () => {
    const views = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(10, 20, 30, 40, 50, 60)]
    const plan = { rows: Uint32Array.of(2, 0, 1), views: Uint32Array.of(1, 0, 1) }
    const buffer = new Float32Array(6)
    expect([...gatherRows({ views, width: 2 }, plan, 0, 3, buffer)]).toEqual([50, 60, 1, 2, 30, 40])
    expect([...gatherRows({ views, width: 2 }, plan, 2, 3, buffer)]).toEqual([30, 40])
  })
})
