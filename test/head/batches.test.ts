import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { residentSource } from '../../src/features/feature-source.js'
import { type Batch, epochBatches, plainBatches, rowsOfSplit } from '../../src/head/batches.js'
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

/** Chunks that end at ascending rows, the last one at `rows`. */
const chunked = (rows: number, cuts: readonly number[]): number[] =>
  [...new Set([...cuts.filter((cut) => cut > 0 && cut < rows), rows])].sort((a, b) => a - b)

const collect = async (batches: AsyncIterable<Batch>) => {
  const found: { rows: number[]; features: number[] }[] = []
  for await (const { count, rows, features } of batches)
    found.push({ rows: [...rows.slice(0, count)], features: [...features.slice(0, count)] })
  return found
}

describe('an epoch', () => {
  it('trains every train row once, whatever the chunks and the size of a batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('train', 'validation', 'test'), { minLength: 1, maxLength: 80 }),
        fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        fc.integer({ min: 1, max: 50 }),
        async (splits, cuts, views, seed, size) => {
          const rows = rowsOfSplit(splits, 'train')
          const blocks = Array.from({ length: views }, (_, view) =>
            Float32Array.from(splits, (_split, row) => 1000 * view + row),
          )
          const source = residentSource(blocks, 1, chunked(splits.length, cuts))
          const epoch = (number: number) =>
            collect(epochBatches(source, { rows, views, seed, epoch: number }, size))
          const batches = await epoch(1)
          expect(batches.flatMap((batch) => batch.rows).sort((a, b) => a - b)).toEqual([...rows])
          for (const batch of batches)
            expect(batch.features.map((value) => value % 1000)).toEqual(batch.rows)
          expect(batches.slice(0, -1).every((batch) => batch.rows.length === size)).toBe(true)
          expect(await epoch(1)).toEqual(batches)
        },
      ),
    )
  })

  it('changes order and views from epoch to epoch', async () => {
    const rows = Uint32Array.from({ length: 100 }, (_, index) => index)
    const views = [0, 1, 2].map((view) => Float32Array.from(rows, () => view))
    const source = residentSource(views, 1, [30, 60, 100])
    const [first, second] = await Promise.all(
      [1, 2].map((epoch) => collect(epochBatches(source, { rows, views: 3, seed: 1, epoch }, 100))),
    )
    expect(first?.[0]?.rows).not.toEqual(second?.[0]?.rows)
    expect(first?.[0]?.features).not.toEqual(second?.[0]?.features)
    expect(new Set(first?.[0]?.features)).toEqual(new Set([0, 1, 2]))
  })

  it('reads rows of view 0 in ascending order', async () => {
    const views = [Float32Array.of(1, 2, 3, 4, 5), Float32Array.of(10, 20, 30, 40, 50)]
    const source = residentSource(views, 1, [2, 3, 5])
    const batches = await collect(plainBatches(source, Uint32Array.of(0, 3, 4), 2))
    expect(batches).toEqual([
      { rows: [0, 3], features: [1, 4] },
      { rows: [4], features: [5] },
    ])
  })
})
