import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { datasetSpecSchema, splitSpecSchema } from '../../src/dataset/spec.js'
import { assignSplits, fractionOfKey, splitOfKey } from '../../src/dataset/split.js'
import { sha256 } from '../../src/identity/hash.js'

const keys = fc.uniqueArray(
  fc.integer().map((n) => sha256(String(n))),
  { maxLength: 60 },
)
const fractions = fc
  .tuple(fc.integer({ min: 1, max: 10 }), fc.nat({ max: 10 }), fc.nat({ max: 10 }))
  .map(([a, b, c]) => {
    const sum = a + b + c
    return { train: a / sum, validation: b / sum, test: c / sum }
  })

describe('a split by key', () => {
  it('is the same for a sample whatever other samples there are', () => {
    fc.assert(
      fc.property(keys, fractions, fc.infiniteStream(fc.boolean()), (all, spec, keep) => {
        const kept = all.filter(() => keep.next().value === true)
        const splits = new Map(all.map((key) => [key, splitOfKey(key, spec)]))
        for (const key of kept) expect(splitOfKey(key, spec)).toBe(splits.get(key))
      }),
    )
  })

  it('never uses a split whose fraction is zero', () => {
    fc.assert(
      fc.property(keys, fractions, (all, spec) => {
        for (const key of all) expect(spec[splitOfKey(key, spec)]).toBeGreaterThan(0)
      }),
    )
  })

  it('cuts the key space in the order train, validation, test', () => {
    const spec = { train: 0.5, validation: 0.25, test: 0.25 }
    expect(splitOfKey('7fffffffffff'.padEnd(64, 'f'), spec)).toBe('train')
    expect(splitOfKey('8'.padEnd(64, '0'), spec)).toBe('validation')
    expect(splitOfKey('c'.padEnd(64, '0'), spec)).toBe('test')
    expect(splitOfKey('f'.repeat(64), { train: 1 - 1e-10, validation: 0, test: 0 })).toBe('train')
    expect(fractionOfKey('f'.repeat(64))).toBeLessThan(1)
  })

  it('comes close to its fractions over many keys', () => {
    const spec = splitSpecSchema.parse(undefined)
    const counts = { train: 0, validation: 0, test: 0 }
    for (let n = 0; n < 20_000; n += 1) counts[splitOfKey(sha256(`${n}`), spec)] += 1
    expect(counts.train / 20_000).toBeCloseTo(0.8, 1)
    expect(counts.validation / 20_000).toBeCloseTo(0.1, 1)
  })
})

describe('assigned splits', () => {
  const samples = fc.tuple(keys, fc.array(fc.nat({ max: 5 }), { minLength: 60, maxLength: 60 }))

  it('give every class a sample in train and move at most its sample of the lowest key', () => {
    fc.assert(
      fc.property(samples, fractions, ([all, groups], spec) => {
        const items = all.map((key, index) => ({ key, group: groups[index] ?? 0 }))
        const splits = assignSplits(items, spec)
        for (const group of new Set(items.map((item) => item.group))) {
          const members = items.map((item, index) => ({ ...item, split: splits[index] }))
          const own = members.filter((item) => item.group === group)
          expect(own.some(({ split }) => split === 'train')).toBe(true)
          const moved = own.filter(({ key, split }) => split !== splitOfKey(key, spec))
          const lowest = own.map(({ key }) => key).sort()[0]
          expect(moved.map(({ key }) => key)).toEqual(moved.length === 0 ? [] : [lowest])
        }
      }),
    )
  })

  it('do not depend on the order of the samples', () => {
    fc.assert(
      fc.property(samples, fractions, ([all, groups], spec) => {
        const items = all.map((key, index) => ({ key, group: groups[index] ?? 0 }))
        expect(assignSplits(items.toReversed(), spec).reverse()).toEqual(assignSplits(items, spec))
      }),
    )
  })
})

describe('the specs', () => {
  it('have defaults and refuse unknown members', () => {
    expect(datasetSpecSchema.parse({ from: 'x' })).toEqual({ from: 'x' })
    expect(datasetSpecSchema.safeParse({ from: 'x', form: 1 }).success).toBe(false)
    expect(splitSpecSchema.parse(undefined)).toEqual({ train: 0.8, validation: 0.1, test: 0.1 })
  })

  it('refuse fractions that do not sum to 1, are negative, or leave train empty', () => {
    const accepts = (train: number, validation: number, test: number) =>
      splitSpecSchema.safeParse({ train, validation, test }).success
    expect(accepts(0.7, 0.2, 0.1)).toBe(true)
    expect(accepts(1, 0, 0)).toBe(true)
    expect(accepts(0.7, 0.2, 0.2)).toBe(false)
    expect(accepts(1.1, -0.1, 0)).toBe(false)
    expect(accepts(0, 0.5, 0.5)).toBe(false)
  })
})
