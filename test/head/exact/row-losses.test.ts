import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Target } from '../../../src/dataset/types.js'
import { objectiveOf, rowLossOf } from '../../../src/head/exact/row-losses.js'
import { createTotals, resultOf } from '../../../src/head/exact/totals.js'
import { metricsOf, scoreOf } from '../../../src/head/metrics.js'
import { createStepTargets, unscale } from '../../../src/head/targets.js'
import type { TrainingData } from '../../../src/head/types.js'
import { dataOf, specOf } from '../synthetic.js'

const UNITS = 3
const NAMES = ['a', 'b', 'c']
const TARGETS: Record<Target['kind'], { target: Target; label: fc.Arbitrary<number[]> }> = {
  single: {
    target: { kind: 'single', classes: NAMES },
    label: fc.nat(UNITS - 1).map((index) => [index]),
  },
  multi: { target: { kind: 'multi', classes: NAMES }, label: fc.subarray([0, 1, 2]) },
  regression: {
    target: { kind: 'regression', outputs: NAMES },
    label: fc.array(fc.integer({ min: -50, max: 50 }), { minLength: UNITS, maxLength: UNITS }),
  },
}

const dataWith = (target: Target, labels: readonly (readonly number[])[]): TrainingData => {
  const splits = labels.map(() => 'train' as const)
  return dataOf(
    target,
    1,
    labels.map((label) => ({ features: [0], label })),
    { splits },
  )
}

const specFor = (kind: Target['kind']) =>
  kind === 'regression'
    ? specOf({ kind: 'linear', optimizer: 'lbfgs' })
    : specOf({
        ...{ kind: 'linear', optimizer: 'lbfgs', labelSmoothing: 0.2 },
        classWeights: { a: 2, c: 0.5 },
      })

const logit = fc.integer({ min: -80, max: 80 }).map((value) => value / 10)
const logits = fc.array(logit, { minLength: UNITS, maxLength: UNITS })

describe.each(['single', 'multi', 'regression'] as const)('a row of a %s task', (kind) => {
  const { target, label } = TARGETS[kind]

  it('has the gradient of its loss', () => {
    fc.assert(
      fc.property(logits, label, fc.nat(UNITS - 1), (values, own, unit) => {
        const data = dataWith(target, [own, kind === 'regression' ? [1, 2, 3] : own])
        const rows = Uint32Array.of(0, 1)
        const spec = specFor(kind)
        const objective = objectiveOf(spec, target, createStepTargets(spec, data, rows, true))
        const at = (moved: number) => {
          const changed = Float32Array.from(values)
          changed[unit] = (values[unit] as number) + moved
          const loss = rowLossOf(target)(objective, own, changed, 0, 1, null)
          return { loss, gradient: changed[unit] as number }
        }
        const step = 2 ** -7
        const difference = (at(step).loss - at(-step).loss) / (2 * step)
        expect(Math.abs(at(0).gradient - difference)).toBeLessThan(
          1e-3 * Math.max(1, Math.abs(difference)),
        )
      }),
    )
  })

  it('adds up to the loss and the score of metricsOf', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(logits, label), { minLength: 1, maxLength: 30 }), (made) => {
        const labels = made.map(([, own]) => own)
        const data = dataWith(target, labels)
        const rows = Uint32Array.from(labels.keys())
        const spec = specFor(kind)
        const targets = createStepTargets(spec, data, rows, true)
        const objective = objectiveOf(spec, target, targets)
        const totals = createTotals(UNITS)
        const predictions = made.flatMap(([values]) => predictionsOf(kind, values))
        for (const [values, own] of made) {
          rowLossOf(target)(objective, own, Float32Array.from(values), 0, 1, totals)
        }
        const served = Float32Array.from(predictions)
        if (targets.scale !== null) unscale(served, targets.scale)
        const wanted = metricsOf(target, served, labels)
        const result = resultOf(totals, target)
        expectNear(result?.loss, wanted.loss)
        expectNear(result?.score, scoreOf(wanted))
      }),
    )
  })
})

/** To what float32 predictions can tell. */
const expectNear = (value: number | undefined, wanted: number): void =>
  expect(Math.abs((value ?? Number.NaN) - wanted)).toBeLessThan(
    1e-4 * Math.max(1, Math.abs(wanted)),
  )

const predictionsOf = (kind: Target['kind'], values: readonly number[]): number[] => {
  if (kind === 'regression') return [...values]
  if (kind === 'multi') return values.map((value) => 1 / (1 + Math.exp(-value)))
  const sum = values.reduce((total, value) => total + Math.exp(value), 0)
  return values.map((value) => Math.exp(value) / sum)
}
