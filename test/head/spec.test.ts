import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { headSpecSchema } from '../../src/head/spec.js'

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
