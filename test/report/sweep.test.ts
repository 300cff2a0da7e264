import { describe, expect, test } from 'vitest'
import { axisOf } from '../../src/report/sweep/axis.js'
import { rankHeads, spreadOf, spreadOverRanks } from '../../src/report/sweep/ranking.js'
import { varyingOf } from '../../src/report/sweep/varying.js'
import { specOf } from '../head/synthetic.js'
import { sweepOf } from './sweeps.js'

const [first] = sweepOf(1).heads
if (first === undefined) throw new Error('a sweep of one head has one')
const headOf = (label: string, change: Partial<typeof first>) => ({
  ...first,
  state: 'trained' as const,
  label,
  ...change,
})

describe('ranking', () => {
  const heads = [
    headOf('low', { value: 0.2 }),
    headOf('lost', { value: null, state: 'diverged' }),
    headOf('stopped', { value: 0.9, state: 'pruned' }),
    headOf('high', { value: 0.8 }),
    headOf('as high', { value: 0.8 }),
  ]
  const order = (higherIsBetter: boolean) =>
    rankHeads({ heads, select: { metric: 'loss', higherIsBetter } }).map(({ head }) => head.label)

  test('trained heads come first by their value, then pruned ones, then diverged ones', () => {
    expect(order(true)).toEqual(['high', 'as high', 'low', 'stopped', 'lost'])
    expect(order(false)).toEqual(['low', 'high', 'as high', 'stopped', 'lost'])
  })

  test('the deviation over folds is that of a sample', () => {
    expect(spreadOf([1, 2, 3, 4])).toEqual({ mean: 2.5, deviation: Math.sqrt(5 / 3) })
    expect(spreadOf([1])).toBeNull()
    expect(spreadOf(null)).toBeNull()
  })

  test('a choice of heads holds the best and the worst', () => {
    expect(spreadOverRanks([1, 2, 3, 4, 5, 6, 7], 3)).toEqual([1, 4, 7])
    expect(spreadOverRanks([1, 2], 3)).toEqual([1, 2])
  })
})

describe('what varies', () => {
  const linear = (learningRate: number, weightDecay = 0) =>
    specOf({ kind: 'linear', optimizer: 'adamw', learningRate, weightDecay })

  test('is what differs, and not what only some kinds of heads have', () => {
    const heads = [
      headOf('a', { spec: linear(0.1) }),
      headOf('b', { spec: specOf({ kind: 'mlp', optimizer: 'adamw', learningRate: 0.01 }) }),
    ]
    expect(varyingOf(heads).map(({ name }) => name)).toEqual(['kind', 'learningRate'])
    const [, rate] = varyingOf(heads)
    expect(rate?.values).toEqual([0.1, 0.01])
  })

  test('a topology is known by its hash', () => {
    const topologies = ['a', 'b'].map((letter) => ({ config: letter.repeat(500) }))
    const heads = topologies.map((topology) =>
      headOf('x', { spec: specOf({ kind: 'custom', topology }) }),
    )
    const [varying] = varyingOf(heads)
    expect(varying?.name).toBe('topology')
    expect(varying?.values.every((value) => /^#[0-9a-f]{8}$/u.test(String(value)))).toBe(true)
  })

  test('a learning rate lies on a log axis, with decades as ticks', () => {
    const values = [1e-4, 2e-4, 5e-4, 1e-3, 3e-3, 5e-3, 1e-2]
    const axis = axisOf({ name: 'learningRate', values })
    expect(axis.kind).toBe('log')
    expect(axis.position(1e-3)).toBeCloseTo(0.5, 12)
    expect(axis.ticks.map(({ label }) => label)).toEqual(['1e-4', '0.001', '0.01'])
  })

  test('a decay of zero lies one decade below the smallest one', () => {
    const axis = axisOf({ name: 'weightDecay', values: [0, 1e-4, 1e-2] })
    expect(axis.position(0)).toBe(0)
    expect(axis.position(1e-4)).toBeCloseTo(1 / 3, 12)
    expect(axis.position(1e-2)).toBe(1)
  })

  test('words lie apart evenly, numbers in a narrow range on a linear axis', () => {
    const words = axisOf({ name: 'cut', values: ['b', 'a', 'c', null] })
    expect(words.kind).toBe('category')
    expect(['a', 'b', 'c', null].map((value) => words.position(value))).toEqual([0, 0.5, 1, null])
    expect(axisOf({ name: 'dropout', values: [0, 0.5] }).kind).toBe('linear')
  })
})
