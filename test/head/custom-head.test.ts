import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { customHead, type HeadFacts } from '../../src/head/custom-head.js'
import { openHead } from '../../src/head/predict-head.js'
import { headSpecSchema } from '../../src/head/spec.js'
import { trainHead } from '../../src/head/train.js'
import { blobs, plainOf } from './synthetic.js'

const SHAPE = { featureShape: [16], outputs: 3 }

const buildNormalised = ({ featureShape, outputs, tf: { sequential, layers } }: HeadFacts) =>
  sequential({
    layers: [
      layers.dense({ units: 12, inputShape: [...featureShape] }),
      layers.batchNormalization({}),
      layers.reLU(),
      layers.dropout({ rate: 0.4 }),
      layers.dense({ units: outputs, activation: 'softmax' }),
    ],
  })

describe('a head that a function builds', () => {
  it('is a complete spec that trains and serves', async () => {
    const spec = await customHead(buildNormalised, { ...SHAPE, epochs: 12, learningRate: 0.02 })
    expect(headSpecSchema.parse(spec)).toEqual(spec)
    const data = blobs({})
    const { artifacts, metrics } = await trainHead({ data, spec, seed: 1 })
    expect(metrics.validation).toMatchObject({ accuracy: 1 })
    const head = await openHead(artifacts)
    expect(head.predict(plainOf(data), data.rows)).toHaveLength(3 * data.rows)
    head.close()
  })

  it('is the same spec however often it is built, and leaves no tensor', async () => {
    const named = ({ featureShape, outputs, tf: { input, model, layers } }: HeadFacts) => {
      const x = input({ shape: [...featureShape], name: 'in' })
      const y = layers.dense({ units: outputs, name: 'out' }).apply(x)
      return model({ inputs: x, outputs: y as typeof x, name: 'head' })
    }
    const first = await customHead(named, SHAPE)
    const before = tf.memory().numTensors
    expect(await customHead(named, SHAPE)).toEqual(first)
    expect(tf.memory().numTensors).toBe(before)
  })

  it.each<[string, (facts: HeadFacts) => LayersModel]>([
    [
      'oh no',
      () => {
        throw new Error('oh no')
      },
    ],
    ['not a LayersModel', () => ({}) as LayersModel],
    ['a promise', (facts) => Promise.resolve(buildNormalised(facts)) as unknown as LayersModel],
    [
      'noise cannot be seeded',
      ({ tf: { sequential, layers } }) =>
        sequential({
          layers: [
            layers.gaussianNoise({ stddev: 1, inputShape: [16] }),
            layers.dense({ units: 3 }),
          ],
        }),
    ],
  ])('is refused with a clear error: %s', async (words, build) => {
    await expect(customHead(build, SHAPE)).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringContaining(words),
    })
  })

  it('is refused for shapes and settings that mean nothing', async () => {
    for (const options of [
      { featureShape: [], outputs: 3 },
      { featureShape: [16], outputs: 0 },
      { ...SHAPE, epochs: -1 },
      { ...SHAPE, dropout: 0.5 },
    ]) {
      await expect(customHead(buildNormalised, options)).rejects.toMatchObject({
        code: 'HEAD_INVALID',
      })
    }
  })
})

describe('BatchNormalization inside a head', () => {
  const dataOfModes = blobs({ distance: 1 })

  const modesOf = async (momentum: number) => {
    const build = ({ featureShape, outputs, tf: { sequential, layers } }: HeadFacts) =>
      sequential({
        layers: [
          layers.batchNormalization({ momentum, inputShape: [...featureShape] }),
          layers.dense({ units: outputs }),
        ],
      })
    // A batch holds all rows, so that each has the same statistics.
    const spec = await customHead(build, { ...SHAPE, epochs: 5, batchSize: 1024 })
    const { batchNormalization: modes, metrics } = await trainHead({
      data: dataOfModes,
      spec,
      seed: 1,
    })
    expect(modes?.layers).toBe(1)
    expect(modes?.inferenceMode.loss).toBe(metrics.train?.loss)
    return modes
  }

  it('is reported in both modes: equal where moving statistics are those of a batch', async () => {
    const followed = await modesOf(0)
    expect(followed?.trainingMode.loss).toBeCloseTo(followed?.inferenceMode.loss ?? 0, 4)
    const lagging = await modesOf(0.99)
    expect(lagging?.trainingMode.loss).toBeCloseTo(followed?.trainingMode.loss ?? 0, 4)
    const gap = (lagging?.trainingMode.loss ?? 0) - (lagging?.inferenceMode.loss ?? 0)
    expect(Math.abs(gap)).toBeGreaterThan(0.01)
  })

  it('is measured without dropout and without changing what is published', async () => {
    const spec = await customHead(buildNormalised, { ...SHAPE, epochs: 2 })
    const one = await trainHead({ data: dataOfModes, spec, seed: 1 })
    const two = await trainHead({ data: dataOfModes, spec, seed: 1 })
    expect(two.batchNormalization).toEqual(one.batchNormalization)
    expect(two.artifacts).toEqual(one.artifacts)
    const last = one.history.at(-1)
    expect(one.batchNormalization?.inferenceMode).toEqual(last?.train)
  })

  it('is nothing to report where there is none', async () => {
    const spec = headSpecSchema.parse({ kind: 'mlp', width: 4, dropout: 0.2, epochs: 1 })
    const { batchNormalization } = await trainHead({ data: dataOfModes, spec, seed: 1 })
    expect(batchNormalization).toBeNull()
  })
})
