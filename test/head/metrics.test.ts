import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { metricsOf, scoreOf } from '../../src/head/metrics.js'
import type { SplitMetrics } from '../../src/head/types.js'

const kindOf = <K extends SplitMetrics['kind']>(metrics: SplitMetrics, kind: K) => {
  if (metrics.kind !== kind) throw new Error(`expected ${kind}`)
  return metrics as Extract<SplitMetrics, { kind: K }>
}

const single = (classes: number, predicted: readonly number[], actual: readonly number[]) => {
  const probabilities = predicted.flatMap((winner) =>
    Array.from({ length: classes }, (_, index) => (index === winner ? 0.9 : 0.1 / (classes - 1))),
  )
  const names = Array.from({ length: classes }, (_, index) => `c${index}`)
  const labels = actual.map((label) => [label])
  return kindOf(
    metricsOf({ kind: 'single', classes: names }, Float32Array.from(probabilities), labels),
    'single',
  )
}

describe('single-label metrics', () => {
  it('agree with scikit-learn on its documented example', () => {
    // sklearn.metrics.f1_score docs: y_true 0 1 2 0 1 2, y_pred 0 2 1 0 0 1; macro 0.26666...
    const metrics = single(3, [0, 2, 1, 0, 0, 1], [0, 1, 2, 0, 1, 2])
    expect(metrics.macroF1).toBeCloseTo(0.8 / 3, 12)
    expect(metrics.accuracy).toBeCloseTo(2 / 6, 12)
    expect(metrics.confusion).toEqual([
      [2, 0, 0],
      [1, 0, 1],
      [0, 2, 0],
    ])
    expect(metrics.perClass[0]).toEqual({
      name: 'c0',
      precision: 2 / 3,
      recall: 1,
      f1: 0.8,
      support: 2,
    })
  })

  it('leave classes out of macro F1 that occur neither in labels nor in predictions', () => {
    expect(single(5, [0, 1], [0, 1]).macroF1).toBe(1)
    // Class 2 is predicted once and never right: it counts with F1 0.
    expect(single(5, [0, 2], [0, 1]).macroF1).toBeCloseTo(1 / 3, 12)
  })

  it('take the mean of -log p, clipped at 1e-7', () => {
    const target = { kind: 'single', classes: ['a', 'b'] } as const
    const metrics = metricsOf(target, Float32Array.of(0.25, 0.75, 0, 1), [[0], [0]])
    expect(metrics.loss).toBeCloseTo((-Math.log(0.25) - Math.log(1e-7)) / 2, 6)
  })

  it('count top-5 with ties to the smaller index, and top-k for fewer classes', () => {
    const classes = ['a', 'b', 'c', 'd', 'e', 'f']
    const flat = new Float32Array(6).fill(1 / 6)
    const top5 = (label: number) =>
      kindOf(metricsOf({ kind: 'single', classes }, flat, [[label]]), 'single').top5Accuracy
    expect([0, 1, 2, 3, 4, 5].map(top5)).toEqual([1, 1, 1, 1, 1, 0])
    expect(single(3, [0], [2]).top5Accuracy).toBe(1)
  })

  it('hold their invariants for any predictions', () => {
    const labels = fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(labels, (pairs) => {
        const metrics = single(
          4,
          pairs.map(([predicted]) => predicted),
          pairs.map(([, actual]) => actual),
        )
        const all = metrics.confusion.flat().reduce((a, b) => a + b, 0)
        const diagonal = metrics.confusion.reduce((sum, row, index) => sum + (row[index] ?? 0), 0)
        expect(all).toBe(pairs.length)
        expect(metrics.accuracy).toBeCloseTo(diagonal / all, 12)
        expect(metrics.top5Accuracy).toBe(1)
        expect(metrics.macroF1 >= 0 && metrics.macroF1 <= 1).toBe(true)
        const support = metrics.perClass.reduce((sum, { support }) => sum + support, 0)
        expect(support).toBe(pairs.length)
        // Micro recall is accuracy.
        const hits = metrics.perClass.reduce(
          (sum, { recall, support }) => sum + recall * support,
          0,
        )
        expect(hits / all).toBeCloseTo(metrics.accuracy, 12)
      }),
    )
  })
})

describe('multi-label metrics', () => {
  const target = { kind: 'multi', classes: ['a', 'b'] } as const

  it('match values by hand', () => {
    // Labels {a}, {a, b}, {}; predictions a, a, b.
    const p = Float32Array.of(0.5, 0.25, 0.75, 0.25, 0.25, 0.75)
    const metrics = kindOf(metricsOf(target, p, [[0], [0, 1], []]), 'multi')
    expect(metrics.accuracy).toBeCloseTo(1 / 3, 12)
    expect(metrics.confusion).toEqual([
      [
        [1, 0],
        [0, 2],
      ],
      [
        [1, 1],
        [1, 0],
      ],
    ])
    expect(metrics.macroF1).toBeCloseTo((1 + 0) / 2, 12)
    const terms = [0.5, 0.75, 0.75, 0.25, 0.75, 0.25]
    const loss = terms.reduce((sum, value) => sum - Math.log(value), 0) / 6
    expect(metrics.loss).toBeCloseTo(loss, 6)
    expect(scoreOf(metrics)).toBe(metrics.macroF1)
  })
})

describe('regression metrics', () => {
  const target = { kind: 'regression', outputs: ['y'] } as const

  it('agree with scikit-learn on its documented example', () => {
    // sklearn.metrics.r2_score docs: y_true 3 -0.5 2 7, y_pred 2.5 0 2 8; 0.9486...
    const labels = [[3], [-0.5], [2], [7]]
    const metrics = kindOf(metricsOf(target, Float32Array.of(2.5, 0, 2, 8), labels), 'regression')
    expect(metrics.r2).toBeCloseTo(0.948608137, 8)
    expect(metrics.mae).toBeCloseTo(0.5, 12)
    expect(metrics.loss).toBeCloseTo(0.375, 12)
    expect(metrics.rmse).toBeCloseTo(Math.sqrt(0.375), 12)
  })

  it('give R2 0 when predicting the mean and 1 when right, also for constant targets', () => {
    const r2 = (values: number[], labels: number[]) =>
      scoreOf(
        metricsOf(
          target,
          Float32Array.from(values),
          labels.map((label) => [label]),
        ),
      )
    expect(r2([2, 2, 2], [1, 2, 3])).toBeCloseTo(0, 12)
    expect(r2([1, 2, 3], [1, 2, 3])).toBe(1)
    expect(r2([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])).toBe(1)
    expect(r2([1, 1, 1], [0.1, 0.1, 0.1])).toBe(0)
  })
})
