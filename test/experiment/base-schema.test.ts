import { describe, expect, it } from 'vitest'
import { baseSchema } from '../../src/experiment/base-schema.js'

const from = './base'
const faults = (input: unknown): string[] => {
  const { error } = baseSchema.safeParse(input)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('the base of an experiment', () => {
  it('has a list of cuts, however it was written', () => {
    const cuts = [{ cut: 'a', pooling: 'avg' }]
    expect(baseSchema.parse({ from, cut: 'a' })).toEqual({ from, cuts })
    expect(baseSchema.parse({ from, cuts: ['a'] })).toEqual({ from, cuts })
    expect(baseSchema.parse({ from, cuts: ['a', { cut: 'a', pooling: 'max' }] })).toEqual({
      from,
      cuts: [...cuts, { cut: 'a', pooling: 'max' }],
    })
    expect(
      baseSchema
        .parse({ from, pooling: 'none', cuts: ['a', { cut: 'b' }] })
        .cuts.map(({ pooling }) => pooling),
    ).toEqual(['none', 'none'])
  })

  it('can be parsed again and is the same', () => {
    const once = baseSchema.parse({ from, cuts: ['a', { cut: 'b', pooling: 'max' }] })
    expect(baseSchema.parse(once)).toEqual(once)
  })

  it('has either cut or cuts, none twice, at most 16', () => {
    expect(faults({ from })).toEqual(['cut: missing (string), or a list in cuts'])
    expect(faults({ from, cut: 'a', cuts: ['b'] })).toEqual(['cuts: either cut or cuts, not both'])
    const twice = ['cuts: a cut stands twice with the same pooling']
    expect(faults({ from, cuts: ['a', 'a'] })).toEqual(twice)
    expect(faults({ from, cuts: ['a', { cut: 'a', pooling: 'avg' }] })).toEqual(twice)
    expect(faults({ from, cuts: [] })).toHaveLength(1)
    expect(faults({ from, cuts: Array.from({ length: 17 }, (_, i) => `c${i}`) })).toHaveLength(1)
  })

  it('tells its faults beside those of other members', () => {
    expect(faults({ from: 1 }).map((fault) => fault.split(':')[0])).toEqual(['from', 'cut'])
  })
})
