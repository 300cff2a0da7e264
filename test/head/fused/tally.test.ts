// What is summed up in one walk is what metrics.ts says of the same predictions.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Target } from '../../../src/dataset/types.js'
import { addRow, createTally, finishTally, measuredSet } from '../../../src/head/fused/tally.js'
import { metricsOf, scoreOf } from '../../../src/head/metrics.js'
import { type TargetScale, unscale } from '../../../src/head/targets.js'

// Few values, so that there are ties and probabilities of 0 and 1.
const probability = fc.constantFrom(0, 0.1, 0.25, 0.5, 0.5, 0.75, 1)
const rowsOf = <T>(label: fc.Arbitrary<T>, units: number) =>
  fc.array(fc.tuple(label, fc.array(probability, { minLength: units, maxLength: units })), {
    minLength: 1,
    maxLength: 12,
  })

const check = (
  target: Target,
  rows: readonly (readonly [readonly number[], readonly number[]])[],
  scale: TargetScale | null = null,
): void => {
  const labels = rows.map(([label]) => label)
  const predictions = Float32Array.from(rows.flatMap(([, values]) => values))
  const units = rows[0]?.[1].length ?? 0
  const tally = createTally(measuredSet(target, labels))
  for (const [row, label] of labels.entries())
    addRow(tally, target.kind, predictions, row * units, label, scale)
  const values = scale === null ? predictions : unscale(predictions.slice(), scale)
  const wanted = metricsOf(target, values, labels)
  const found = finishTally(tally, target.kind)
  const size = Math.max(1, wanted.loss)
  expect(found?.loss).toBeDefined()
  expect(Math.abs((found?.loss ?? 0) - wanted.loss) / size).toBeLessThan(1e-5)
  const score = scoreOf(wanted)
  expect(Math.abs((found?.score ?? 0) - score) / Math.max(1, Math.abs(score))).toBeLessThan(1e-5)
}

describe('loss and score of an epoch', () => {
  it('are those of single labels', () => {
    const target: Target = { kind: 'single', classes: ['a', 'b', 'c'] }
    const label = fc.integer({ min: 0, max: 2 }).map((index) => [index])
    fc.assert(fc.property(rowsOf(label, 3), (rows) => check(target, rows)))
  })

  it('are those of several labels', () => {
    const target: Target = { kind: 'multi', classes: ['a', 'b', 'c'] }
    const label = fc.subarray([0, 1, 2])
    fc.assert(fc.property(rowsOf(label, 3), (rows) => check(target, rows)))
  })

  it('are those of values, whatever their scale', () => {
    const target: Target = { kind: 'regression', outputs: ['x', 'y'] }
    const label = fc.tuple(fc.constantFrom(1, 2, 3), fc.constantFrom(-5, 100))
    const scale = { mean: Float64Array.of(2, 40), deviation: Float64Array.of(1.5, 50) }
    fc.assert(
      fc.property(rowsOf(label, 2), (rows) => {
        check(target, rows)
        check(target, rows, scale)
      }),
    )
  })

  it('are null without a row', () => {
    const target: Target = { kind: 'single', classes: ['a', 'b'] }
    expect(finishTally(createTally(measuredSet(target, [])), 'single')).toBeNull()
  })
})
