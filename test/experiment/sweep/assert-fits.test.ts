// What the dataset decides about a plan, before anything is extracted.
import { describe, expect, it } from 'vitest'
import { assertSweepFits } from '../../../src/experiment/sweep/assert-fits.js'
import { planSweep } from '../../../src/experiment/sweep/plan-sweep.js'
import { failureOf } from '../../catalog/support.js'
import { datasetOf, experimentOf } from './experiments.js'

const CLASSES = { kind: 'single', classes: ['cat', 'dog'] } as const
const VALUES = { kind: 'regression', outputs: ['weight'] } as const

const rowsOf = (...counts: readonly number[]) =>
  counts.flatMap((count, label) => Array.from({ length: count }, () => ({ label: [label] })))

const PETS = datasetOf(CLASSES, [...rowsOf(5, 3), { label: [1], split: 'test' }])

const check = (
  heads: unknown,
  members: Readonly<Record<string, unknown>>,
  dataset = PETS,
  shapes: readonly (readonly number[])[] = [[4]],
) => assertSweepFits(planSweep(experimentOf(heads, members)), dataset, shapes)

describe('assertSweepFits', () => {
  it('gives back what the best is chosen by', async () => {
    const heads = [{ kind: 'linear' }]
    expect(await check(heads, { folds: 3 })).toEqual({ metric: 'accuracy', higherIsBetter: true })
    expect(await check(heads, { select: 'loss' })).toEqual({
      metric: 'loss',
      higherIsBetter: false,
    })
  })

  it('refuses a metric that does not fit the task', async () => {
    const error = await failureOf(check([{ kind: 'linear' }], { select: 'r2' }))
    expect(error.code).toBe('REQUEST_INVALID')
    expect(error.message).toContain('single')
  })

  it('refuses more folds than the smallest class has samples to train on', async () => {
    const error = await failureOf(check([{ kind: 'linear' }], { folds: 4 }))
    expect(error.code).toBe('REQUEST_INVALID')
    expect(error.message).toMatch(/4 folds.*dog.*3 samples/)
  })

  it('counts rows of the train split for a regression', async () => {
    const many = datasetOf(VALUES, rowsOf(60))
    expect(await check([{ kind: 'linear' }], { folds: 5 }, many)).toMatchObject({ metric: 'r2' })
    const dataset = datasetOf(VALUES, rowsOf(5))
    const error = await failureOf(check([{ kind: 'linear' }], { folds: 6 }, dataset))
    expect(error.message).toMatch(/6 folds.*the train split has 5/)
  })

  it('refuses folds of which one would be empty, as hashes may leave it', async () => {
    const dataset = datasetOf(VALUES, rowsOf(5))
    const error = await failureOf(check([{ kind: 'linear' }], { folds: 5 }, dataset))
    expect(error.code).toBe('REQUEST_INVALID')
    expect(error.message).toMatch(/of 5 folds number \d has no sample/)
  })

  it('refuses heads that cannot be trained, each with its place', async () => {
    const grid = { kind: 'linear', classWeights: ['none', { cow: 2 }], l2: [0, 0.1] }
    const error = await failureOf(check({ grid }, {}))
    expect(error.code).toBe('HEAD_INVALID')
    expect(error.details).toHaveLength(2)
    expect(error.details[0]).toMatch(/^heads\.2: .*cow/)
  })

  it('looks at the features of every cut', async () => {
    const topology = {
      class_name: 'Sequential',
      config: {
        name: 'head',
        layers: [
          {
            class_name: 'Dense',
            config: {
              name: 'answers',
              units: 2,
              activation: 'softmax',
              use_bias: true,
              batch_input_shape: [null, 4],
              dtype: 'float32',
              trainable: true,
            },
          },
        ],
      },
    }
    const base = { from: './base', cuts: ['narrow', 'wide'] }
    const custom = { kind: 'custom', topology, epochs: 1 }
    await check([{ ...custom, cut: 'narrow' }, { kind: 'linear' }], { base }, PETS, [[4], [9]])
    const error = await failureOf(check([custom], { base }, PETS, [[4], [9]]))
    expect(error.code).toBe('HEAD_INVALID')
  })

  it('names the first faults of many heads and how many there are', async () => {
    const l2 = Array.from({ length: 999 }, (_, i) => i / 1e4)
    const error = await failureOf(
      check(
        { grid: { kind: 'mlp', width: 8, depth: 2, l2, labelSmoothing: 0.1 } },
        {},
        datasetOf(VALUES, rowsOf(5)),
      ),
    )
    expect(error.message).toBe('999 faults in the heads')
    expect(error.details).toHaveLength(21)
    expect(error.details.at(-1)).toBe('and 979 more')
  })
})
