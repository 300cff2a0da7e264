import { describe, expect, it } from 'vitest'
import { planPasses, planWaves } from '../../../src/head/fused/groups.js'
import { isRung, prunedOf } from '../../../src/head/fused/halving.js'
import type { TogetherHead } from '../../../src/head/fused/types.js'
import type { HeadSpecInput } from '../../../src/head/spec.js'
import { presetOf } from './support.js'

const head = (input: HeadSpecInput, seed = 1, views = 1): TogetherHead => ({
  spec: presetOf(input),
  seed,
  views,
})
const task = { width: 100, units: 10, trainRows: 500 }
const groupsOf = (heads: readonly TogetherHead[], folds: readonly (number | null)[] = [null]) =>
  planPasses(
    heads,
    heads.map((_, index) => index),
    folds,
    task,
  ).map(({ groups }) => groups.map(({ copies }) => copies.map((copy) => copy.head)))

describe('heads share a group', () => {
  it('whatever each of them has of its own', () => {
    const heads = [
      head({ kind: 'linear' }),
      head({ kind: 'linear', learningRate: 0.1, l2: 1, epochs: 3, labelSmoothing: 0.1 }),
      head({ kind: 'linear', optimizer: 'adamw', weightDecay: 1, classWeights: 'balanced' }),
      head({ kind: 'linear', earlyStopping: { patience: 2 } }),
    ]
    expect(groupsOf(heads)).toEqual([[[0, 1, 2, 3]]])
  })

  it('only with the same shape, dropout and kind of optimizer', () => {
    const heads = [
      head({ kind: 'linear' }),
      head({ kind: 'mlp', width: 4 }),
      head({ kind: 'mlp', width: 5 }),
      head({ kind: 'mlp', width: 4, depth: 2 }),
      head({ kind: 'linear', dropout: 0.5 }),
      head({ kind: 'linear', optimizer: 'sgd' }),
      head({ kind: 'mlp', width: 4, learningRate: 1 }),
    ]
    expect(groupsOf(heads)).toEqual([[[0], [1, 6], [2], [3], [4], [5]]])
  })

  it('and a pass only with the same batches: size, views and seed', () => {
    const heads = [
      head({ kind: 'linear', batchSize: 32 }),
      head({ kind: 'linear', batchSize: 64 }),
      head({ kind: 'mlp', batchSize: 32 }),
      head({ kind: 'linear', batchSize: 32 }, 2),
      head({ kind: 'linear', batchSize: 32 }, 1, 2),
      // Beyond the train split a batch is the train split.
      head({ kind: 'linear', batchSize: 500 }),
      head({ kind: 'linear', batchSize: 5000 }),
    ]
    expect(groupsOf(heads)).toEqual([[[0], [2]], [[1]], [[3]], [[4]], [[5, 6]]])
  })

  it('with the folds of a head beside it', () => {
    const heads = [head({ kind: 'linear' }), head({ kind: 'linear', l2: 1 })]
    const [pass] = planPasses(heads, [0, 1], [null, 0, 1], task)
    expect(pass?.groups[0]?.copies.map((copy) => [copy.head, copy.fold])).toEqual([
      [0, null],
      [0, 0],
      [0, 1],
      [1, null],
      [1, 0],
      [1, 1],
    ])
  })

  it('up to a bound on its weights and activations, in order and without loss', () => {
    const heads = Array.from({ length: 1200 }, () => head({ kind: 'linear' }))
    const groups = groupsOf(heads).flat()
    expect(groups.length).toBeGreaterThan(1)
    expect(groups.flat()).toEqual(heads.map((_, index) => index))
    for (const group of groups) expect(group.length * 101 * 10).toBeLessThanOrEqual(2 ** 19)
    const wide = [head({ kind: 'mlp', width: 16_384 }), head({ kind: 'mlp', width: 16_384 })]
    expect(groupsOf(wide)).toEqual([[[0], [1]]])
  })
})

describe('waves', () => {
  const heads = Array.from({ length: 5 }, () => head({ kind: 'linear' }))
  it('are one where everything fits', () => {
    expect(planWaves(heads, 1, task)).toEqual([[0, 1, 2, 3, 4]])
  })
  it('hold what fits with its folds, and at least one head', () => {
    expect(planWaves(heads, 1, task, 2 * 1010)).toEqual([[0, 1], [2, 3], [4]])
    expect(planWaves(heads, 2, task, 2 * 1010)).toEqual([[0], [1], [2], [3], [4]])
    expect(planWaves(heads, 1, task, 5)).toEqual([[0], [1], [2], [3], [4]])
  })
})

describe('halving', () => {
  it('compares after each rung', () => {
    const rungs = (epochs: number, factor: number) =>
      Array.from({ length: 30 }, (_, index) => index + 1).filter((epoch) =>
        isRung({ epochs, factor, metric: 'loss' }, epoch),
      )
    expect(rungs(2, 3)).toEqual([2, 6, 18])
    expect(rungs(1, 2)).toEqual([1, 2, 4, 8, 16])
    expect(rungs(3, 1.5)).toEqual([3, 4, 6, 10, 15, 22])
  })

  it('keeps the best part, at least one, the earlier of equals', () => {
    const values = [3, 1, 2, 1, 5].map((value, index) => ({ head: index, value }))
    const half = { epochs: 1, factor: 2 }
    expect(prunedOf({ ...half, metric: 'loss' }, values)).toEqual([2, 0, 4])
    expect(prunedOf({ ...half, metric: 'score' }, values)).toEqual([2, 1, 3])
    expect(prunedOf({ ...half, factor: 10, metric: 'loss' }, values)).toEqual([3, 2, 0, 4])
    expect(prunedOf({ ...half, metric: 'loss' }, values.slice(0, 1))).toEqual([])
  })
})
