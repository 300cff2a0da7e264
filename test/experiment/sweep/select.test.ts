// Choosing the best of many heads, and the folds of cross-validation.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldOf } from '../../../src/experiment/sweep/folds.js'
import { bestIndex, metricValue, selectionFor } from '../../../src/experiment/sweep/select.js'
import { sha256 } from '../../../src/identity/hash.js'
import { SINGLE } from '../../model/records.js'

const HIGHER = { metric: 'accuracy', higherIsBetter: true } as const
const LOWER = { metric: 'loss', higherIsBetter: false } as const

describe('selectionFor', () => {
  it.each([
    ['single', { metric: 'accuracy', higherIsBetter: true }],
    ['multi', { metric: 'macroF1', higherIsBetter: true }],
    ['regression', { metric: 'r2', higherIsBetter: true }],
  ] as const)('is the usual metric of %s where none is named', (kind, selection) => {
    expect(selectionFor(null, kind)).toEqual(selection)
  })

  it.each([
    ['loss', 'single'],
    ['rmse', 'regression'],
    ['mae', 'regression'],
  ] as const)('of %s takes the lower one', (metric, kind) => {
    expect(selectionFor(metric, kind)).toEqual({ metric, higherIsBetter: false })
  })

  it.each([
    ['r2', 'single', 'accuracy, top5Accuracy, macroF1, loss'],
    ['top5Accuracy', 'multi', 'macroF1, accuracy, loss'],
    ['accuracy', 'regression', 'r2, rmse, mae, loss'],
  ] as const)('refuses %s for %s and says what there is', (metric, kind, known) => {
    expect(() => selectionFor(metric, kind)).toThrow(known)
  })
})

describe('metricValue', () => {
  it('is the value of the metric, or NaN where there is none', () => {
    expect(metricValue(SINGLE, 'macroF1')).toBe(SINGLE.kind === 'single' ? SINGLE.macroF1 : null)
    expect(metricValue(SINGLE, 'loss')).toBe(SINGLE.loss)
    expect(metricValue(SINGLE, 'r2')).toBeNaN()
  })
})

describe('bestIndex', () => {
  const values = fc.array(
    fc.oneof(
      fc.constantFrom(null, Number.NaN, Number.POSITIVE_INFINITY),
      fc.integer({ min: -3, max: 3 }),
    ),
  )

  it('is the first of the best, whatever cannot be compared', () => {
    fc.assert(
      fc.property(values, fc.constantFrom(HIGHER, LOWER), (all, selection) => {
        const best = bestIndex(all, selection)
        const comparable = all.filter((value) => value !== null && Number.isFinite(value))
        if (best === null) {
          expect(comparable).toEqual([])
          return
        }
        const extreme = selection.higherIsBetter
          ? Math.max(...(comparable as number[]))
          : Math.min(...(comparable as number[]))
        expect(all[best]).toBe(extreme)
        expect(all.indexOf(extreme)).toBe(best)
      }),
    )
  })
})

describe('foldOf', () => {
  const keys = Array.from({ length: 4000 }, (_, i) => sha256(`sample ${i}`))

  it.each([2, 5, 20])('parts the samples into %i folds of about the same size', (count) => {
    const sizes = new Array<number>(count).fill(0)
    for (const key of keys) {
      const fold = foldOf(key, count)
      sizes[fold] = (sizes[fold] as number) + 1
    }
    expect(sizes).toHaveLength(count)
    // Chi-square with count - 1 degrees of freedom stays below its mean plus six deviations.
    const expected = keys.length / count
    const chiSquare = sizes.reduce((sum, size) => sum + (size - expected) ** 2 / expected, 0)
    expect(chiSquare).toBeLessThan(count - 1 + 6 * Math.sqrt(2 * (count - 1)))
  })

  it('does not follow the splits, which are cut from the key itself', () => {
    const lowest = [...keys].sort().slice(0, 400)
    expect(new Set(lowest.map((key) => foldOf(key, 5))).size).toBe(5)
  })

  it('stays the same for ever', () => {
    expect(keys.slice(0, 8).map((key) => foldOf(key, 10))).toEqual([2, 9, 2, 3, 3, 8, 3, 1])
  })
})
