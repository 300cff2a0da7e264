// Heads that are trained together end with the numbers that each has alone, here and in the TF.js trainer.
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureHeadBackend } from '../../../src/head/backend.js'
import { rowsOfSplit } from '../../../src/head/batches.js'
import { buildHead } from '../../../src/head/build.js'
import { initialWeights, layerShapes } from '../../../src/head/fused/layers.js'
import { metricsOf } from '../../../src/head/metrics.js'
import { openHead } from '../../../src/head/predict-head.js'
import type { HeadSpecInput } from '../../../src/head/spec.js'
import { trainHead } from '../../../src/head/train.js'
import type { TrainingData } from '../../../src/head/types.js'
import { blobs, normals, plainOf, withViews } from '../synthetic.js'
import {
  manyLabels,
  maxDifference,
  metricsIn,
  numbersIn,
  presetOf,
  together,
  trainedOf,
  twoOutputs,
  weightsOf,
} from './support.js'

beforeAll(ensureHeadBackend)

const hard = () => blobs({ rows: 300, distance: 0.7, classes: 3, width: 18 })
const noisyViews = (): TrainingData => {
  const plain = hard()
  const normal = normals(4)
  const view = Float32Array.from(plainOf(plain), (value) => value + normal())
  return withViews(plain, [plainOf(plain), view])
}

const tasks: [string, () => TrainingData, HeadSpecInput[]][] = [
  [
    'linear heads with each setting of their own',
    hard,
    [
      { kind: 'linear', epochs: 5 },
      { kind: 'linear', epochs: 9, learningRate: 0.02, l2: 0.01 },
      { kind: 'linear', epochs: 7, optimizer: 'adamw', weightDecay: 0.5, learningRate: 0.01 },
      { kind: 'linear', epochs: 6, optimizer: 'sgd', learningRate: 0.05 },
      { kind: 'linear', epochs: 6, optimizer: 'sgd', momentum: 0.2, learningRate: 0.1 },
      { kind: 'linear', epochs: 5, labelSmoothing: 0.2, classWeights: 'balanced' },
      { kind: 'linear', epochs: 5, classWeights: { 'class-1': 5 }, batchSize: 7 },
      { kind: 'linear', epochs: 4, batchSize: 500, learningRate: 0.03 },
    ],
  ],
  [
    'mlp heads of one layer and of two',
    hard,
    [
      { kind: 'mlp', width: 12, epochs: 5 },
      { kind: 'mlp', width: 12, epochs: 8, learningRate: 0.01, l2: 0.001 },
      { kind: 'mlp', width: 12, depth: 2, epochs: 5, learningRate: 0.005 },
      { kind: 'mlp', width: 12, depth: 2, epochs: 5, optimizer: 'sgd', learningRate: 0.02 },
      { kind: 'mlp', width: 5, depth: 3, epochs: 4, labelSmoothing: 0.1 },
    ],
  ],
  [
    'heads for several labels',
    manyLabels,
    [
      { kind: 'linear', epochs: 6, learningRate: 0.02 },
      { kind: 'linear', epochs: 6, classWeights: 'balanced', labelSmoothing: 0.1 },
      { kind: 'mlp', width: 8, epochs: 5, classWeights: { b: 3 } },
    ],
  ],
  [
    'heads for values far from zero',
    twoOutputs,
    [
      { kind: 'linear', epochs: 8, learningRate: 0.02 },
      { kind: 'linear', epochs: 8, optimizer: 'sgd', learningRate: 0.01 },
      { kind: 'mlp', width: 8, epochs: 5, learningRate: 0.01 },
    ],
  ],
  [
    'heads that draw views',
    noisyViews,
    [
      { kind: 'linear', epochs: 4 },
      { kind: 'mlp', width: 8, epochs: 4 },
    ],
  ],
  [
    'heads that stop early, each at its own epoch',
    () => blobs({ distance: 0.3, rows: 150 }),
    [
      { kind: 'mlp', width: 16, learningRate: 0.01, epochs: 60, earlyStopping: { patience: 4 } },
      { kind: 'mlp', width: 16, learningRate: 0.03, epochs: 60, earlyStopping: { patience: 2 } },
      {
        kind: 'linear',
        learningRate: 0.1,
        epochs: 60,
        earlyStopping: { patience: 3, minDelta: 0.001 },
      },
      { kind: 'linear', epochs: 12, earlyStopping: { patience: 50 } },
    ],
  ],
]

describe('heads that are trained together', () => {
  it.each(tasks)('%s end as in the TF.js trainer', async (_, make, inputs) => {
    const data = make()
    const outcomes = await together(data, inputs)
    for (const [index, input] of inputs.entries()) {
      const { head } = trainedOf(outcomes[index])
      const other = await trainHead({ data, spec: presetOf(input), seed: 3 })
      expect(head.artifacts.topology).toEqual(other.artifacts.topology)
      expect(head.artifacts.weightSpecs).toEqual(other.artifacts.weightSpecs)
      expect(head.bestEpoch).toBe(other.bestEpoch)
      expect(head.stoppedEarly).toBe(other.stoppedEarly)
      expect(maxDifference(metricsIn(head), metricsIn(other))).toBeLessThan(1e-4)
    }
  })

  it.each(tasks)('%s end as alone', async (_, make, inputs) => {
    const data = make()
    const outcomes = await together(data, inputs)
    for (const [index, input] of inputs.entries()) {
      const { head } = trainedOf(outcomes[index])
      const alone = trainedOf((await together(data, [input]))[0]).head
      expect(maxDifference(metricsIn(head), metricsIn(alone))).toBeLessThan(1e-4)
    }
  })

  it('end as alone with dropout, linear and mlp', async () => {
    const inputs: HeadSpecInput[] = [
      { kind: 'linear', epochs: 4, dropout: 0.3 },
      { kind: 'linear', epochs: 6, dropout: 0.3, learningRate: 0.01 },
      { kind: 'mlp', width: 16, depth: 2, epochs: 4, dropout: 0.3 },
      { kind: 'mlp', width: 16, depth: 2, epochs: 5, dropout: 0.3, learningRate: 0.01 },
      { kind: 'linear', epochs: 4 },
    ]
    const data = hard()
    const outcomes = await together(data, inputs)
    const heads = outcomes.map((outcome) => trainedOf(outcome).head)
    for (const [index, input] of inputs.entries()) {
      const alone = trainedOf((await together(data, [input]))[0]).head
      const head = heads[index] ?? alone
      expect(maxDifference(metricsIn(head), metricsIn(alone))).toBeLessThan(1e-4)
    }
    expect(
      maxDifference(
        weightsOf(heads[0]?.artifacts ?? never()),
        weightsOf(heads[4]?.artifacts ?? never()),
      ),
    ).toBeGreaterThan(1e-3)
  })

  it('start from the weights of the model that is built', async () => {
    for (const input of [
      { kind: 'linear' },
      { kind: 'mlp', width: 7, depth: 2, dropout: 0.2 },
    ] as HeadSpecInput[]) {
      const data = hard()
      const spec = presetOf(input)
      const built = await buildHead({
        spec,
        featureShape: data.featureShape,
        target: data.target,
        seed: 11,
      })
      const values = built.model.weights.map((weight) => weight.read().dataSync<'float32'>())
      expect(initialWeights(layerShapes(spec, 18, 3), 11)).toEqual(
        values.map((value) => Float32Array.from(value)),
      )
      built.dispose()
    }
  })

  it.each([
    ['single', hard],
    ['multi', manyLabels],
    ['regression', twoOutputs],
  ] as const)('are served as they were measured: %s', async (_, make) => {
    const data = make()
    const outcomes = await together(data, [
      { kind: 'linear', epochs: 3 },
      { kind: 'mlp', width: 6, epochs: 3, dropout: 0.1 },
    ])
    for (const outcome of outcomes) {
      const { head } = trainedOf(outcome)
      const predictor = await openHead(head.artifacts)
      for (const split of ['train', 'validation'] as const) {
        const rows = rowsOfSplit(data.splits, split)
        const features = Float32Array.from(
          [...rows].flatMap((row) => [
            ...plainOf(data).subarray(row * data.width, (row + 1) * data.width),
          ]),
        )
        const served = metricsOf(
          data.target,
          predictor.predict(features, rows.length),
          Array.from(rows, (row) => data.labels[row] as readonly number[]),
        )
        const measured = numbersIn(head.metrics[split])
        expect(maxDifference(numbersIn(served), measured)).toBeLessThan(1e-5)
      }
      predictor.close()
      expect(head.metrics.test).toBeUndefined()
    }
  })

  it('give the same bits twice, and leave no tensor behind', async () => {
    const inputs: HeadSpecInput[] = [
      { kind: 'linear', epochs: 3, dropout: 0.2 },
      { kind: 'mlp', width: 9, depth: 2, epochs: 3, dropout: 0.2 },
      { kind: 'mlp', width: 9, depth: 2, epochs: 2, dropout: 0.2 },
    ]
    const one = await together(hard(), inputs)
    const { numTensors } = tf.memory()
    expect(await together(hard(), inputs)).toEqual(one)
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('report each epoch of each head once, in order', async () => {
    const seen: [number, number][] = []
    const onEpoch = (head: number, { epoch }: { epoch: number }) => void seen.push([head, epoch])
    await together(
      hard(),
      [
        { kind: 'linear', epochs: 2 },
        { kind: 'linear', epochs: 3 },
      ],
      {
        onEpoch,
      },
    )
    expect(seen).toEqual([
      [0, 1],
      [1, 1],
      [0, 2],
      [1, 2],
      [1, 3],
    ])
  })
})

const never = (): never => {
  throw new Error('a head is missing')
}
