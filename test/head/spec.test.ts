import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { headSpecSchema, isExactSpec, isPresetSpec } from '../../src/head/spec.js'

const faultsOf = (input: unknown): string[] =>
  (headSpecSchema.safeParse(input).error?.issues ?? []).map((issue) => issue.path.join('.'))

describe('the head spec', () => {
  it('writes out every default', () => {
    expect(headSpecSchema.parse({ kind: 'linear' })).toEqual({
      kind: 'linear',
      epochs: 30,
      batchSize: 32,
      optimizer: 'adam',
      learningRate: 0.001,
      momentum: null,
      tolerance: null,
      weightDecay: 0,
      l2: 0,
      dropout: 0,
      labelSmoothing: 0,
      classWeights: 'none',
      earlyStopping: null,
    })
    expect(headSpecSchema.parse({ kind: 'mlp', earlyStopping: { patience: 3 } })).toMatchObject({
      width: 256,
      depth: 1,
      earlyStopping: { patience: 3, minDelta: 0, metric: 'loss' },
    })
  })

  it('writes out what an exact head is, and that it has no steps to set', () => {
    const spec = headSpecSchema.parse({ kind: 'linear', optimizer: 'lbfgs' })
    expect(spec).toMatchObject({
      ...{ optimizer: 'lbfgs', epochs: 1000, tolerance: 1e-5 },
      ...{ batchSize: null, learningRate: null, momentum: null, weightDecay: 0 },
    })
    expect(headSpecSchema.parse(spec)).toEqual(spec)
    const set = { kind: 'linear', optimizer: 'lbfgs', epochs: 7, tolerance: 1e-3, l2: 0.1 } as const
    expect(headSpecSchema.parse(set)).toMatchObject(set)
  })

  it('tells exact heads from presets and custom ones', () => {
    const kinds = [
      { kind: 'linear' },
      { kind: 'mlp', optimizer: 'sgd' },
      { kind: 'linear', optimizer: 'lbfgs' },
      { kind: 'custom', topology: {} },
    ].map((input) => headSpecSchema.parse(input))
    expect(kinds.map(isPresetSpec)).toEqual([true, true, false, false])
    expect(kinds.map(isExactSpec)).toEqual([false, false, true, false])
  })

  it('parses its own result to the same value', () => {
    const spec = headSpecSchema.parse({ kind: 'custom', topology: { class_name: 'Sequential' } })
    expect(headSpecSchema.parse(spec)).toEqual(spec)
  })

  it.each([
    ['adam', null],
    ['adamw', null],
    ['sgd', 0.9],
  ])(
    'is one spec for one training: %s has momentum %s however it is written',
    (optimizer, momentum) => {
      const spec = headSpecSchema.parse({ kind: 'linear', optimizer })
      expect(spec.momentum).toBe(momentum)
      expect(headSpecSchema.parse({ kind: 'linear', optimizer, momentum })).toEqual(spec)
      expect(headSpecSchema.parse(spec)).toEqual(spec)
    },
  )

  it.each([
    ['epochs', { kind: 'linear', epochs: 1e9 }],
    ['epochs', { kind: 'linear', epochs: 0 }],
    ['batchSize', { kind: 'linear', batchSize: 65_537 }],
    ['learningRate', { kind: 'linear', learningRate: 0 }],
    ['learningRate', { kind: 'linear', learningRate: Number.NaN }],
    ['dropout', { kind: 'linear', dropout: 1 }],
    ['momentum', { kind: 'linear', optimizer: 'sgd', momentum: 1 }],
    ['momentum', { kind: 'linear', momentum: 0.5 }],
    ['momentum', { kind: 'mlp', optimizer: 'adamw', momentum: 0 }],
    ['classWeights.__proto__', { kind: 'linear', classWeights: JSON.parse('{"__proto__":2}') }],
    ['classWeights.a', { kind: 'linear', classWeights: { a: 0 } }],
    ['earlyStopping.patience', { kind: 'linear', earlyStopping: { patience: 0 } }],
    ['weightDecay', { kind: 'linear', weightDecay: 0.1 }],
    ['tolerance', { kind: 'linear', tolerance: 0.1 }],
    ['tolerance', { kind: 'linear', optimizer: 'lbfgs', tolerance: 0 }],
    ['batchSize', { kind: 'linear', optimizer: 'lbfgs', batchSize: 32 }],
    ['learningRate', { kind: 'linear', optimizer: 'lbfgs', learningRate: 0.1 }],
    ['momentum', { kind: 'linear', optimizer: 'lbfgs', momentum: 0.9 }],
    ['weightDecay', { kind: 'linear', optimizer: 'lbfgs', weightDecay: 0.1 }],
    ['dropout', { kind: 'linear', optimizer: 'lbfgs', dropout: 0.1 }],
    ['earlyStopping', { kind: 'linear', optimizer: 'lbfgs', earlyStopping: { patience: 2 } }],
    ['optimizer', { kind: 'mlp', optimizer: 'lbfgs' }],
    ['optimizer', { kind: 'custom', topology: {}, optimizer: 'lbfgs' }],
    ['', { kind: 'linear', width: 3 }],
    ['', { kind: 'linear', learning_rate: 3 }],
    ['kind', { kind: 'forest' }],
    ['topology', { kind: 'custom' }],
    ['topology', { kind: 'custom', topology: { a: 'x'.repeat(9 * 2 ** 20) } }],
    ['topology', { kind: 'custom', topology: { a: () => 1 } }],
    ['dropout', { kind: 'custom', topology: {}, dropout: 0.5 }],
  ])('refuses case %#, at the field %s', (path, input) => {
    expect(faultsOf(input)).toContain(path)
  })

  it('refuses a topology nested without end instead of overflowing the stack', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`) as unknown
    expect(faultsOf({ kind: 'custom', topology: deep })).toContain('topology')
  })

  it('can be written as JSON Schema', () => {
    const schema = JSON.stringify(z.toJSONSchema(headSpecSchema, { io: 'input' }))
    expect(schema).toContain('"learningRate"')
    // What is left out must show as optional, with what it becomes.
    expect(schema).toMatch(/"classWeights":\{[^{}]*"default":"none"/)
    expect(schema).toMatch(/"momentum":\{"default":null/)
    expect(z.toJSONSchema(headSpecSchema)).toBeDefined()
  })
})
