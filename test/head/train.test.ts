import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import type { Split } from '../../src/dataset/types.js'
import { isHeadstartError } from '../../src/errors.js'
import { openHead } from '../../src/head/predict-head.js'
import { measureSplit } from '../../src/head/publish.js'
import type { HeadSpecInput } from '../../src/head/spec.js'
import { trainHead } from '../../src/head/train.js'
import type { TrainingData } from '../../src/head/types.js'
import { blobs, dataOf, normals, plainOf, specOf, withViews } from './synthetic.js'

const train = (data: TrainingData, input: HeadSpecInput, seed = 1) =>
  trainHead({ data, spec: specOf(input), seed })

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise
    return 'none'
  } catch (error) {
    return isHeadstartError(error) ? error.code : String(error)
  }
}

describe('training a head', () => {
  it.each([
    { kind: 'linear', optimizer: 'adam', learningRate: 0.02 },
    { kind: 'linear', optimizer: 'adamw', learningRate: 0.02, weightDecay: 0.01 },
    { kind: 'linear', optimizer: 'sgd', learningRate: 0.02 },
    { kind: 'mlp', width: 24, depth: 2, learningRate: 0.005, dropout: 0.3 },
  ] as HeadSpecInput[])('separates what is separable: $kind with $optimizer', async (input) => {
    const result = await train(blobs({}), { ...input, epochs: 15 })
    const test = await measureSplit(result.artifacts, blobs({}), 'test')
    expect(test).toMatchObject({ kind: 'single', samples: 20 })
    for (const metrics of [result.metrics.train, result.metrics.validation, test]) {
      expect(metrics?.kind === 'single' && metrics.accuracy).toBeGreaterThan(0.95)
    }
    expect(result.metrics.test).toBeUndefined()
    expect(result.history.map(({ epoch }) => epoch)).toEqual([...Array(16).keys()].slice(1))
    expect(result.bestEpoch).toBe(15)
    expect(result.stoppedEarly).toBe(false)
  })

  it('reports for the last epoch what the published head gets', async () => {
    const { history, metrics } = await train(blobs({}), { kind: 'mlp', dropout: 0.4, epochs: 3 })
    const { validation, train: last } = metrics
    const accuracies = [last, validation].map((m) => (m?.kind === 'single' ? m.accuracy : -1))
    expect(history.at(-1)?.train).toEqual({ loss: last?.loss, score: accuracies[0] })
    expect(history.at(-1)?.validation).toEqual({ loss: validation?.loss, score: accuracies[1] })
  })

  it('measures epochs on a bounded number of train rows, and the head on all of them', async () => {
    const data = blobs({ rows: 6000, width: 4, distance: 1 })
    const splits = data.splits.map(() => 'train' as const)
    const { history, metrics } = await train({ ...data, splits }, { kind: 'linear', epochs: 1 })
    const first = {
      ...data,
      splits: data.splits.map((_, row): Split => (row < 4096 ? 'train' : 'test')),
    }
    const { artifacts } = await train({ ...data, splits }, { kind: 'linear', epochs: 1 })
    const sample = await measureSplit(artifacts, first, 'train')
    expect(metrics.train?.samples).toBe(6000)
    expect(history[0]?.train.loss).toBe(sample?.loss)
    expect(history[0]?.train.loss).not.toBe(metrics.train?.loss)
  })

  it('gives the same bits for the same seed and others for another', async () => {
    const input = { kind: 'mlp', width: 8, dropout: 0.5, epochs: 3 } as const
    const [one, two, other] = [
      await train(blobs({}), input, 7),
      await train(blobs({}), input, 7),
      await train(blobs({}), input, 8),
    ]
    expect(two.artifacts).toEqual(one.artifacts)
    expect(two.history).toEqual(one.history)
    expect(other.artifacts.weights).not.toEqual(one.artifacts.weights)
  })

  it('gives the same bits when two trainings share the event loop', async () => {
    const input = { kind: 'mlp', width: 8, dropout: 0.5, epochs: 3 } as const
    const alone = await train(blobs({}), input, 7)
    const [one, two] = await Promise.all([
      train(blobs({}), input, 7),
      train(blobs({ seed: 2 }), input, 9),
    ])
    expect(one.artifacts).toEqual(alone.artifacts)
    expect(two.artifacts).not.toEqual(alone.artifacts)
  })

  it('draws views: their features reach the weights', async () => {
    const plain = blobs({})
    const noise = normals(4)
    const view = Float32Array.from(plainOf(plain), (v) => v + noise())
    const augmented = withViews(plain, [plainOf(plain), view])
    const one = await train(plain, { kind: 'linear', epochs: 2 })
    const two = await train(augmented, { kind: 'linear', epochs: 2 })
    expect(two.artifacts.weights).not.toEqual(one.artifacts.weights)
  })

  it('stops early and keeps the weights of the best epoch', async () => {
    // Labels are noise: an mlp learns the train rows by heart and validation loss rises.
    const data = blobs({ distance: 0, rows: 120 })
    const input = { kind: 'mlp', width: 32, learningRate: 0.01, epochs: 60 } as const
    const result = await train(data, { ...input, earlyStopping: { patience: 4 } })
    const losses = result.history.map(({ validation }) => validation?.loss ?? Number.NaN)
    const best = losses.indexOf(Math.min(...losses)) + 1
    expect(result.stoppedEarly).toBe(true)
    expect(result.bestEpoch).toBe(best)
    expect(result.history.length).toBe(best + 4)
    expect(result.metrics.validation?.loss).toBe(losses[best - 1])
    const upTo = await train(data, { ...input, epochs: best })
    expect(upTo.artifacts.weights).toEqual(result.artifacts.weights)
  })

  it('watches the score when asked to', async () => {
    const earlyStopping = { patience: 2, metric: 'score' } as const
    const result = await train(blobs({}), {
      kind: 'linear',
      learningRate: 0.05,
      epochs: 40,
      earlyStopping,
    })
    const scores = result.history.map(({ validation }) => validation?.score ?? 0)
    expect(result.bestEpoch).toBe(scores.indexOf(Math.max(...scores)) + 1)
  })

  it('weighs classes: a heavy rare class is recalled more', async () => {
    const normal = normals(3)
    const rows = Array.from({ length: 400 }, (_, row) => {
      const label = Math.floor(row / 10) % 10 === 0 ? 1 : 0
      return { features: Array.from({ length: 4 }, () => normal() + label), label: [label] }
    })
    const data = dataOf({ kind: 'single', classes: ['many', 'few'] }, 4, rows)
    const recall = async (classWeights: HeadSpecInput['classWeights']) => {
      const input = { kind: 'linear', learningRate: 0.02, epochs: 15, classWeights } as const
      const metrics = (await train(data, input)).metrics.train
      return metrics?.kind === 'single' ? (metrics.perClass[1]?.recall ?? 0) : 0
    }
    const none = await recall('none')
    const balanced = await recall('balanced')
    expect(balanced).toBeGreaterThan(none + 0.1)
    // `balanced` is n / (classes * count), here 320 / (2 * 288) and 320 / (2 * 32).
    expect(await recall({ many: 320 / 576, few: 5 })).toBe(balanced)
  })

  it('smooths labels: the head is less sure', async () => {
    const sure = async (labelSmoothing: number) => {
      const input = { kind: 'linear', learningRate: 0.05, epochs: 30, labelSmoothing } as const
      const { artifacts } = await train(blobs({}), input)
      const head = await openHead(artifacts)
      const best = head.predict(plainOf(blobs({})), 200)
      head.close()
      return Math.max(...best)
    }
    expect(await sure(0)).toBeGreaterThan(0.999)
    expect(await sure(0.2)).toBeLessThan(0.98)
  })

  it('l2 and weight decay shrink the kernel', async () => {
    const norm = async (input: Partial<HeadSpecInput>) => {
      const spec = { kind: 'linear', learningRate: 0.02, epochs: 20, ...input } as HeadSpecInput
      const { weights } = (await train(blobs({}), spec)).artifacts
      return new Float32Array(weights.slice().buffer).reduce((sum, w) => sum + w * w, 0)
    }
    const plain = await norm({})
    expect(await norm({ l2: 0.05 })).toBeLessThan(plain / 2)
    expect(await norm({ optimizer: 'adamw', weightDecay: 2 })).toBeLessThan(plain)
  })

  it('learns several labels at once', async () => {
    const normal = normals(6)
    const rows = Array.from({ length: 300 }, (_, row) => {
      const label = [0, 1, 2].filter((index) => ((row * 7 + (row >> 3)) >> index) & 1)
      const features = Array.from(
        { length: 9 },
        (_, axis) => normal() / 2 + (label.includes(axis % 3) ? 2 : 0),
      )
      return { features, label }
    })
    const data = dataOf({ kind: 'multi', classes: ['a', 'b', 'c'] }, 9, rows)
    const { metrics, history } = await train(data, {
      kind: 'linear',
      learningRate: 0.05,
      epochs: 30,
    })
    const { validation } = metrics
    expect(validation?.kind === 'multi' && validation.macroF1).toBeGreaterThan(0.95)
    expect(history.at(-1)?.train.score).toBe(
      metrics.train?.kind === 'multi' && metrics.train.macroF1,
    )
  })

  it('learns a regression in the units of the target, far from zero', async () => {
    const normal = normals(8)
    const rows = Array.from({ length: 400 }, () => {
      const features = Array.from({ length: 5 }, normal)
      const [a = 0, b = 0, c = 0] = features
      return { features, label: [5000 + 300 * a - 200 * b, 0.01 * c - 3] }
    })
    const data = dataOf({ kind: 'regression', outputs: ['big', 'small'] }, 5, rows)
    const { metrics, artifacts, history } = await train(data, {
      kind: 'linear',
      learningRate: 0.02,
      epochs: 40,
    })
    const { validation } = metrics
    expect(validation?.kind === 'regression' && validation.r2).toBeGreaterThan(0.99)
    expect(history.at(-1)?.train.score).toBeCloseTo(
      metrics.train?.kind === 'regression' ? metrics.train.r2 : 0,
      6,
    )
    const head = await openHead(artifacts)
    const [big, small] = head.predict(Float32Array.of(1, 0, 0, 0, 0), 1)
    head.close()
    expect(Math.abs((big ?? 0) - 5300)).toBeLessThan(20)
    expect(Math.abs((small ?? 0) + 3)).toBeLessThan(0.01)
  })
})

describe('softmax regression', () => {
  it('takes the step of the closed form: W -= lr (X^T (P - Y) / n + 2 l2 W)', async () => {
    const data = blobs({ rows: 40, width: 4, distance: 1 })
    const weightsAfter = async (epochs: number) => {
      const sgd = { optimizer: 'sgd', momentum: 0, learningRate: 0.5, l2: 0.01 } as const
      const { artifacts } = await train(data, { kind: 'linear', ...sgd, epochs, batchSize: 64 })
      return [...new Float32Array(artifacts.weights.slice().buffer)]
    }
    const [before, after] = [await weightsAfter(1), await weightsAfter(2)]
    const x = Array.from({ length: 40 }, (_, row) => [...plainOf(data).slice(row * 4, row * 4 + 4)])
    const rows = [...x.keys()].filter((row) => data.splits[row] === 'train')
    const errors = rows.map((row) => {
      const logits = [0, 1, 2].map((c) =>
        (x[row] ?? []).reduce(
          (sum, v, i) => sum + v * (before[i * 3 + c] ?? 0),
          before[12 + c] ?? 0,
        ),
      )
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0)
      return logits.map((z, c) => Math.exp(z) / total - (data.labels[row]?.[0] === c ? 1 : 0))
    })
    for (const [index, value] of after.entries()) {
      const [i, c] = [Math.floor(index / 3), index % 3]
      const slope = rows.reduce(
        (sum, row, n) => sum + (i < 4 ? (x[row]?.[i] ?? 0) : 1) * (errors[n]?.[c] ?? 0),
        0,
      )
      const decay = i < 4 ? 2 * 0.01 * (before[index] ?? 0) : 0
      expect(value).toBeCloseTo((before[index] ?? 0) - 0.5 * (slope / rows.length + decay), 5)
    }
  })
})

describe('what training refuses', () => {
  it('a loss that is not finite, naming the epoch', async () => {
    const data = blobs({})
    const broken = withViews(data, [Float32Array.from(plainOf(data), (v) => v * 1e30)])
    const spec = specOf({ kind: 'mlp', optimizer: 'sgd', learningRate: 100, epochs: 5 })
    await expect(trainHead({ data: broken, spec, seed: 1 })).rejects.toMatchObject({
      code: 'HEAD_DIVERGED',
      message: expect.stringMatching(/epoch \d/) as unknown,
    })
  })

  const ok = blobs({})
  const linear = { kind: 'linear' } as const
  it.each<[string, Partial<TrainingData>, HeadSpecInput]>([
    ['no train sample', { splits: ok.splits.map((): Split => 'test') }, linear],
    [
      'width 0',
      { ...withViews({ ...ok, width: 0 }, [new Float32Array(0)]), featureShape: [0] },
      linear,
    ],
    ['a class out of range', { labels: ok.labels.map(() => [3]) }, linear],
    ['two classes for one sample', { labels: ok.labels.map(() => [0, 1]) }, linear],
    ['fewer labels than rows', { labels: ok.labels.slice(1) }, linear],
    ['a view of another length', withViews(ok, [new Float32Array(3)]), linear],
    ['one class', { target: { kind: 'single', classes: ['a'] } }, linear],
    ['unknown class weights', {}, { kind: 'linear', classWeights: { nobody: 2 } }],
    [
      'early stopping without validation',
      { splits: ok.splits.map((): Split => 'train') },
      { kind: 'linear', earlyStopping: { patience: 2 } },
    ],
    ['a head beyond the parameter limit', {}, { kind: 'mlp', width: 16_384, depth: 16 }],
  ])('%s', async (_, change, input) => {
    const { numTensors } = tf.memory()
    expect(await codeOf(train({ ...ok, ...change }, input))).toBe('HEAD_INVALID')
    expect(tf.memory().numTensors).toBe(numTensors)
  })
})

describe('tensors', () => {
  it('are as many after a training as before, and flat over its steps', async () => {
    await train(blobs({}), { kind: 'mlp', epochs: 1 })
    const { numTensors } = tf.memory()
    const counts: number[] = []
    await trainHead({
      data: blobs({ rows: 250 }),
      // 200 train rows, batch 4: 50 steps an epoch.
      spec: specOf({
        kind: 'mlp',
        batchSize: 4,
        epochs: 5,
        dropout: 0.2,
        earlyStopping: { patience: 9 },
      }),
      seed: 1,
      onEpoch: () => {
        counts.push(tf.memory().numTensors)
      },
    })
    expect(new Set(counts.slice(1)).size).toBe(1)
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('never block the event loop for long', async () => {
    const data = blobs({ rows: 1000, width: 256 })
    // Time that this process computed, not time that others did.
    let longestMs = 0
    let last = process.cpuUsage()
    const timer = setInterval(() => {
      const { user, system } = process.cpuUsage(last)
      longestMs = Math.max(longestMs, (user + system) / 1000)
      last = process.cpuUsage()
    }, 1)
    await train(data, { kind: 'mlp', epochs: 3 })
    clearInterval(timer)
    expect(longestMs).toBeLessThan(250)
  })
})
