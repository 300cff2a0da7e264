// What becomes of heads: folds, halving, divergence, and what is refused.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import type { Split } from '../../../src/dataset/types.js'
import { residentSource } from '../../../src/features/feature-source.js'
import { rowsOfSplit } from '../../../src/head/batches.js'
import { trainTogether } from '../../../src/head/fused/train-together.js'
import type { Folds, TogetherRequest } from '../../../src/head/fused/types.js'
import type { HeadSpecInput } from '../../../src/head/spec.js'
import type { TrainingData } from '../../../src/head/types.js'
import { blobs, plainOf, withViews } from '../synthetic.js'
import {
  manyLabels,
  maxDifference,
  metricsIn,
  numbersIn,
  requestOf,
  together,
  trainedOf,
  twoOutputs,
} from './support.js'

const hard = () => blobs({ rows: 200, distance: 0.8 })

const foldsOf = (data: TrainingData, count: number): Folds => ({
  count,
  of: Uint8Array.from({ length: data.rows }, (_, row) => (row * 7) % count),
})

/** The same data with the rows of a fold as the validation split, and no others in it. */
const withoutFold = (data: TrainingData, { of }: Folds, fold: number): TrainingData => ({
  ...data,
  splits: data.splits.map((split, row): Split => {
    if (split !== 'train') return 'test'
    return of[row] === fold ? 'validation' : 'train'
  }),
})

describe('folds', () => {
  it.each([
    ['single', hard, { kind: 'linear', epochs: 12, learningRate: 0.02 }],
    ['balanced', hard, { kind: 'mlp', width: 8, epochs: 8, classWeights: 'balanced' }],
    ['multi', () => manyLabels(150), { kind: 'linear', epochs: 10, learningRate: 0.02 }],
    ['regression', () => twoOutputs(150), { kind: 'mlp', width: 6, epochs: 10 }],
  ] as [string, () => TrainingData, HeadSpecInput][])(
    'have the numbers of a training on the other rows: %s',
    async (_, make, input) => {
      const data = make()
      // Whole batches: which rows share a batch would differ otherwise, not what is done with them.
      const whole = { ...input, batchSize: 1000 }
      const folds = foldsOf(data, 3)
      const [outcome] = await together(data, [whole], { folds })
      const found = trainedOf(outcome)
      expect(found.folds?.map(({ fold }) => fold)).toEqual([0, 1, 2])
      for (const { fold, metrics, bestEpoch } of found.folds ?? []) {
        const other = trainedOf((await together(withoutFold(data, folds, fold), [whole]))[0]).head
        expect(bestEpoch).toBe(other.bestEpoch)
        expect(maxDifference(numbersIn(metrics), numbersIn(other.metrics.validation))).toBeLessThan(
          1e-4,
        )
      }
    },
  )

  it('stop early each by their own rows, and change nothing of the head itself', async () => {
    const data = blobs({ rows: 200, distance: 0.3 })
    const folds = foldsOf(data, 4)
    const input: HeadSpecInput = {
      kind: 'mlp',
      width: 16,
      learningRate: 0.02,
      epochs: 40,
      batchSize: 1000,
      earlyStopping: { patience: 3 },
    }
    const found = trainedOf((await together(data, [input], { folds }))[0])
    const plain = trainedOf((await together(data, [input]))[0])
    expect(plain.folds).toBeNull()
    expect(maxDifference(metricsIn(found.head), metricsIn(plain.head))).toBeLessThan(1e-4)
    for (const { fold, bestEpoch } of found.folds ?? []) {
      const other = trainedOf((await together(withoutFold(data, folds, fold), [input]))[0]).head
      expect(bestEpoch).toBe(other.bestEpoch)
    }
    const epochs = new Set(found.folds?.map(({ bestEpoch }) => bestEpoch))
    expect(epochs.size).toBeGreaterThan(1)
  })

  it('measure every train row once', async () => {
    const data = hard()
    const found = trainedOf(
      (await together(data, [{ kind: 'linear', epochs: 1 }], { folds: foldsOf(data, 5) }))[0],
    )
    const samples = found.folds?.reduce((sum, { metrics }) => sum + metrics.samples, 0)
    expect(samples).toBe(rowsOfSplit(data.splits, 'train').length)
  })
})

describe('halving', () => {
  const rates = [0.00001, 0.02, 0.0001, 0.005, 0.001, 0.05]
  const inputs = rates.map(
    (learningRate): HeadSpecInput => ({ kind: 'linear', epochs: 9, learningRate }),
  )

  it('prunes the worst and lets the best go on with the numbers that it has anyway', async () => {
    const data = hard()
    const all = await together(data, inputs)
    const halved = await together(data, inputs, {
      halving: { epochs: 2, factor: 2, metric: 'loss' },
    })
    const lossAt = (head: number, epoch: number) =>
      trainedOf(all[head]).head.history[epoch - 1]?.validation?.loss ?? Number.NaN
    const ranked = (heads: number[], epoch: number) =>
      [...heads].sort((a, b) => lossAt(a, epoch) - lossAt(b, epoch))
    const first = ranked([...rates.keys()], 2)
    const second = ranked(first.slice(0, 3), 4)
    const pruned = halved.map((outcome) => (outcome.state === 'pruned' ? outcome.epoch : null))
    for (const head of first.slice(3)) expect(pruned[head]).toBe(2)
    for (const head of second.slice(1)) expect(pruned[head]).toBe(4)
    const best = second[0] as number
    const [one, other] = [trainedOf(halved[best]).head, trainedOf(all[best]).head]
    expect(maxDifference(metricsIn(one), metricsIn(other))).toBeLessThan(1e-4)
    for (const [head, outcome] of halved.entries()) {
      if (outcome.state === 'pruned') expect(outcome.history).toHaveLength(pruned[head] ?? 0)
    }
  })

  it('takes the folds of a pruned head along', async () => {
    const data = hard()
    const outcomes = await together(data, inputs.slice(0, 2), {
      halving: { epochs: 1, factor: 2, metric: 'loss' },
      folds: foldsOf(data, 2),
    })
    expect(outcomes.map(({ state }) => state)).toEqual(['pruned', 'trained'])
    expect(trainedOf(outcomes[1]).folds).toHaveLength(2)
  })
})

describe('a head that diverges', () => {
  it('leaves; the others end with their numbers', async () => {
    const data = hard()
    const wild: HeadSpecInput = {
      kind: 'mlp',
      width: 6,
      depth: 2,
      optimizer: 'sgd',
      learningRate: 10,
      l2: 50,
      epochs: 40,
    }
    const calm: HeadSpecInput = { ...wild, learningRate: 0.01, l2: 0, epochs: 5 }
    const outcomes = await together(data, [wild, calm, { kind: 'linear', epochs: 3 }])
    expect(outcomes.map(({ state }) => state)).toEqual(['diverged', 'trained', 'trained'])
    const [first] = outcomes
    if (first?.state === 'diverged') {
      expect(first.message).toMatch(/not finite|NaN|Infinity/)
      expect(first.history).toHaveLength(first.epoch - 1)
    }
    const alone = trainedOf((await together(data, [calm]))[0]).head
    expect(maxDifference(metricsIn(trainedOf(outcomes[1]).head), metricsIn(alone))).toBeLessThan(
      1e-4,
    )
  })

  it('is an outcome, too, where no other is left', async () => {
    const data = hard()
    const broken = withViews(
      data,
      [plainOf(data)].map((view) => view.map((value) => value * 1e30)),
    )
    const outcomes = await together(broken, [
      { kind: 'mlp', width: 4, optimizer: 'sgd', learningRate: 100, epochs: 5 },
    ])
    expect(outcomes).toEqual([
      {
        state: 'diverged',
        epoch: 1,
        message: expect.stringContaining('epoch 1') as unknown,
        history: [],
      },
    ])
  })
})

describe('features that are streamed', () => {
  it('give the bits of features in memory', async () => {
    const data = blobs({ rows: 260, distance: 0.5 })
    const resident = residentSource([plainOf(data)], data.width, [50, 120, 260])
    const inputs: HeadSpecInput[] = [
      { kind: 'linear', epochs: 3 },
      { kind: 'mlp', width: 5, epochs: 4, dropout: 0.2 },
    ]
    const one = await together({ ...data, features: resident }, inputs)
    const streamed = { ...data, features: { ...resident, resident: null } }
    expect(await together(streamed, inputs)).toEqual(one)
  })
})

describe('heads that do not fit in memory together', () => {
  const inputs: HeadSpecInput[] = [
    { kind: 'linear', epochs: 3 },
    { kind: 'linear', epochs: 5, learningRate: 0.01 },
    { kind: 'mlp', width: 6, epochs: 2 },
  ]

  it('are trained after each other, with the same numbers', async () => {
    const data = hard()
    const one = await together(data, inputs)
    const waves = await together(data, inputs, { maxParameters: 60 })
    for (const index of inputs.keys()) {
      const [a, b] = [trainedOf(one[index]).head, trainedOf(waves[index]).head]
      expect(maxDifference(metricsIn(a), metricsIn(b))).toBeLessThan(1e-4)
    }
  })

  it('are refused for halving', async () => {
    const halving = { epochs: 1, factor: 2, metric: 'loss' } as const
    await expect(together(hard(), inputs, { halving, maxParameters: 60 })).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(/do not fit in memory/) as unknown,
    })
  })
})

describe('what is refused', () => {
  const data = hard()
  const linear: HeadSpecInput = { kind: 'linear' }
  const noValidation = data.splits.map((split): Split => (split === 'train' ? 'train' : 'test'))
  it.each<[string, TogetherRequest, RegExp]>([
    ['no head', requestOf(data, []), /no head/],
    [
      'more views than there are',
      {
        ...requestOf(data, [linear]),
        heads: [{ ...requestOf(data, [linear]).heads[0], views: 2 } as never],
      },
      /head 0: 2 views/,
    ],
    ['one fold', requestOf(data, [linear], { folds: foldsOf(data, 1) }), /1 folds/],
    [
      'folds for other rows',
      requestOf(data, [linear], { folds: { count: 2, of: new Uint8Array(3) } }),
      /folds for 3 rows/,
    ],
    [
      'a fold without rows',
      requestOf(data, [linear], { folds: { count: 2, of: new Uint8Array(data.rows) } }),
      /fold 1 has no train sample/,
    ],
    [
      'halving without validation',
      requestOf({ ...data, splits: noValidation }, [linear], {
        halving: { epochs: 1, factor: 2, metric: 'loss' },
      }),
      /halving needs a validation split/,
    ],
    [
      'halving by 1',
      requestOf(data, [linear], { halving: { epochs: 1, factor: 1, metric: 'loss' } }),
      /factor of 1/,
    ],
    [
      'unknown class weights of the second head',
      requestOf(data, [linear, { kind: 'linear', classWeights: { nobody: 2 } }]),
      /head 1: .*nobody/,
    ],
    ['labels that contradict the task', requestOf({ ...data, labels: [] }, [linear]), /0 labels/],
  ])('%s', async (_, request, message) => {
    const { numTensors } = tf.memory()
    await expect(trainTogether(request)).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(message) as unknown,
    })
    expect(tf.memory().numTensors).toBe(numTensors)
  })
})
