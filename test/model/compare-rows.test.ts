// Comparing predictions sample by sample: shared samples, other class orders, other labels.
import { describe, expect, it } from 'vitest'
import type { PredictionRows } from '../../src/features/prediction-rows.js'
import { sha256 } from '../../src/identity/hash.js'
import { compareRows, type RowsOfRun } from '../../src/model/compare-rows.js'
import { metricDifferences, specDifferences } from '../../src/model/compare-specs.js'
import { recordOf, SINGLE } from './records.js'

const key = (row: number): string => sha256(`row ${row}`)

/** Class names actual and predicted, by row. */
const classesOf = (
  classes: readonly string[],
  rows: Readonly<Record<number, readonly [actual: string, predicted: string]>>,
): RowsOfRun => ({
  target: { kind: 'single', classes },
  predictions: {
    kind: 'single',
    rows: Object.entries(rows).map(([row, [actual, predicted]]) => ({
      key: key(Number(row)),
      actual: classes.indexOf(actual),
      predicted: classes.indexOf(predicted),
      confidence: 1,
      right: actual === predicted,
      trueProbability: 1,
    })),
  },
})

const valuesOf = (
  outputs: readonly string[],
  rows: readonly { readonly actual: number[]; readonly predicted: number[] }[],
): RowsOfRun => {
  const predictions: PredictionRows = {
    kind: 'regression',
    rows: rows.map((row, i) => ({ key: key(i), ...row })),
  }
  return { target: { kind: 'regression', outputs }, predictions }
}

describe('classifiers', () => {
  it('are compared on the samples that both have', () => {
    const a = classesOf(['cat', 'dog'], {
      ...{ 0: ['cat', 'cat'], 1: ['cat', 'cat'], 2: ['dog', 'cat'], 3: ['dog', 'cat'] },
    })
    const b = classesOf(['cat', 'dog'], {
      ...{ 1: ['cat', 'cat'], 2: ['dog', 'dog'], 3: ['dog', 'cat'], 4: ['cat', 'dog'] },
    })
    expect(compareRows(a, b)).toEqual({
      kind: 'single',
      samples: 3,
      relabelled: 0,
      measure: 'accuracy',
      values: { a: 1 / 3, b: 2 / 3 },
      table: { bothRight: 1, onlyA: 0, onlyB: 1, bothWrong: 1 },
      test: { test: 'mcnemar-exact', statistic: null, pValue: 1 },
    })
  })

  it('of datasets with another order of classes mean the same by a name', () => {
    const a = classesOf(['cat', 'dog'], { 0: ['cat', 'cat'], 1: ['dog', 'dog'] })
    const b = classesOf(['dog', 'cat', 'emu'], { 0: ['cat', 'cat'], 1: ['dog', 'dog'] })
    expect(compareRows(a, b)).toMatchObject({ samples: 2, relabelled: 0 })
  })

  it('are not compared on samples that got another label', () => {
    const a = classesOf(['cat', 'dog'], { 0: ['cat', 'cat'], 1: ['dog', 'dog'] })
    const b = classesOf(['cat', 'dog'], { 0: ['dog', 'cat'], 1: ['dog', 'dog'] })
    expect(compareRows(a, b)).toMatchObject({ samples: 1, relabelled: 1 })
    const c = classesOf(['cat', 'dog'], { 0: ['dog', 'cat'] })
    expect(() => compareRows(a, c)).toThrow('another label')
  })

  it('without a shared sample are refused', () => {
    const a = classesOf(['cat', 'dog'], { 0: ['cat', 'cat'] })
    const b = classesOf(['cat', 'dog'], { 1: ['cat', 'cat'] })
    expect(() => compareRows(a, b)).toThrow('no test sample in common')
  })

  it('of several labels are right when every label is', () => {
    const rows = (right: boolean): RowsOfRun => ({
      target: { kind: 'multi', classes: ['a', 'b'] },
      predictions: {
        kind: 'multi',
        rows: [
          {
            key: key(0),
            actual: [0, 1],
            predicted: right ? [0, 1] : [0],
            right,
            probabilities: [1, 1],
          },
        ],
      },
    })
    expect(compareRows(rows(true), rows(false)).table).toMatchObject({ onlyA: 1, bothWrong: 0 })
  })
})

describe('regressions', () => {
  const actual = [[1], [2], [3], [4], [5], [6]]

  it('are compared by their absolute errors', () => {
    const a = valuesOf(
      ['x'],
      actual.map((row) => ({ actual: row, predicted: row.map((v) => v + 1) })),
    )
    const b = valuesOf(
      ['x'],
      actual.map((row, i) => ({ actual: row, predicted: row.map((v) => v - 2 - i) })),
    )
    const compared = compareRows(a, b)
    expect(compared).toMatchObject({
      measure: 'meanAbsoluteError',
      table: null,
      values: { a: 1, b: 4.5 },
    })
    // Six differences of one sign: 2 / 2^6.
    expect(compared.test).toEqual({ test: 'wilcoxon-exact', statistic: 0, pValue: 0.03125 })
  })

  it('of several outputs weigh them alike, whatever their units', () => {
    const rows = (errorX: number, errorY: number) =>
      valuesOf(
        ['metres', 'grams'],
        actual.map(([v = 0], i) => ({
          actual: [v, 1e6 * v],
          predicted: [v + errorX * (i + 1), 1e6 * (v + errorY * (i + 1))],
        })),
      )
    expect(compareRows(rows(2, 1), rows(1, 2)).test.pValue).toBe(1)
    expect(compareRows(rows(3, 1), rows(1, 2)).test.pValue).toBeLessThan(0.05)
  })
})

describe('what sets two runs apart', () => {
  it('names fields and metrics, and nothing that is the same', () => {
    const a = recordOf()
    const b = recordOf({
      head: { kind: 'linear', epochs: 20, l2: 0.1 },
      seed: 2,
      metrics: { train: SINGLE, validation: { ...SINGLE, loss: 0.25 } },
    })
    expect(specDifferences(a, b)).toEqual([
      { name: 'seed', a: 1, b: 2 },
      { name: 'epochs', a: 10, b: 20 },
      { name: 'l2', a: null, b: 0.1 },
    ])
    const metrics = metricDifferences(a, b)
    expect(metrics).toContainEqual({ name: 'validation.loss', a: 0.5, b: 0.25 })
    expect(metrics).toContainEqual({ name: 'test.accuracy', a: 0.75, b: null })
    expect(metrics.every(({ name }) => !name.startsWith('train.'))).toBe(true)
    expect(specDifferences(a, a)).toEqual([])
  })
})
