import { describe, expect, test } from 'vitest'
import type { Sample } from '../../src/dataset/types.js'
import { mistakesOf, predictionsOf } from '../../src/report/predictions.js'

const sample = (name: string, label: readonly number[]): Sample => ({
  key: name.repeat(64).slice(0, 64),
  names: [`${name}.png`, `other-${name}.png`],
  label,
  split: 'test',
})

describe('predictions one by one', () => {
  test('a class prediction has both probabilities, and the first of equal classes', () => {
    const target = { kind: 'single', classes: ['a', 'b', 'c'] } as const
    const outputs = Float32Array.from([0.25, 0.5, 0.25, 0.5, 0.5, 0])
    const made = predictionsOf(target, outputs, [sample('a', [2]), sample('b', [0])])
    expect(made).toMatchObject([
      { name: 'a.png', actual: 2, predicted: 1, right: false, confidence: 0.5 },
      { predicted: 0, right: true, confidence: 0.5, trueProbability: 0.5 },
    ])
    expect(made[0]).toMatchObject({ trueProbability: 0.25 })
  })

  test('labels are those above one half, and right only if all are', () => {
    const target = { kind: 'multi', classes: ['a', 'b'] } as const
    const outputs = Float32Array.from([0.75, 0.5, 0.75, 0.75])
    const made = predictionsOf(target, outputs, [sample('a', [0]), sample('b', [1])])
    expect(made).toMatchObject([
      { predicted: [0], right: true },
      { predicted: [0, 1], right: false },
    ])
  })

  test('outputs that do not fit the samples are refused', () => {
    const target = { kind: 'single', classes: ['a', 'b'] } as const
    expect(() => predictionsOf(target, new Float32Array(3), [sample('a', [0])])).toThrow(RangeError)
  })

  test('the most confident mistakes come first, and nothing that is right', () => {
    const target = { kind: 'single', classes: ['a', 'b'] } as const
    const outputs = Float32Array.from([0.25, 0.75, 0.125, 0.875, 0, 1, 0.375, 0.625])
    const samples = ['a', 'b', 'c', 'd'].map((name) => sample(name, [name === 'c' ? 1 : 0]))
    const made = predictionsOf(target, outputs, samples)
    expect(mistakesOf(made, 2).map(({ name }) => name)).toEqual(['b.png', 'a.png'])
    expect(mistakesOf(made, 12)).toHaveLength(3)
  })

  test('residuals of outputs with different units compare in their own root mean square', () => {
    const target = { kind: 'regression', outputs: ['metres', 'grams'] } as const
    // The residual of 0.9 m is far off among metres; 500 g is usual among grams.
    const outputs = Float32Array.from([0.1, 500, 0.9, 400, 0.1, -500])
    const samples = ['a', 'b', 'c'].map((name) => sample(name, [0, 0]))
    const worst = mistakesOf(predictionsOf(target, outputs, samples), 1)
    expect(worst.map(({ name }) => name)).toEqual(['b.png'])
  })
})
