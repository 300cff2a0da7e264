import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { buildHead } from '../../src/head/build.js'
import { openHead } from '../../src/head/predict-head.js'
import type { HeadSpec } from '../../src/head/spec.js'
import { trainHead } from '../../src/head/train.js'
import type { TrainingData } from '../../src/head/types.js'
import { blobs, dataOf, normals, plainOf, specOf, withViews } from './synthetic.js'

beforeAll(ensureHeadBackend)

/** The spec of a model made with TF.js; the model itself is freed. */
const specFrom = (model: LayersModel, input: object = {}): HeadSpec => {
  const topology = JSON.parse(JSON.stringify(model.toJSON(null, false))) as object
  model.dispose()
  return specOf({ kind: 'custom', topology, ...input } as Parameters<typeof specOf>[0])
}

const stack = (...made: layers.Layer[]): LayersModel => sequential({ layers: made })
const dense = (units: number, activation: 'softmax' | 'sigmoid' | 'relu' | 'linear' = 'linear') =>
  layers.dense({ units, activation })
const first = (inputShape: number[]) => layers.dense({ units: 12, activation: 'relu', inputShape })

const train = (data: TrainingData, spec: HeadSpec, seed = 1) => trainHead({ data, spec, seed })
const quick = { epochs: 12, learningRate: 0.02 }

describe('a custom head', () => {
  it.each<[string, () => LayersModel]>([
    ['softmax in its last dense layer', () => stack(first([16]), dense(3, 'softmax'))],
    ['logits', () => stack(first([16]), dense(3))],
    [
      'a softmax activation layer',
      () => stack(first([16]), dense(3), layers.activation({ activation: 'softmax' })),
    ],
    ['a Softmax layer', () => stack(first([16]), dense(3), layers.softmax())],
    ['a nested model', () => stack(stack(first([16]), dense(3, 'softmax')) as layers.Layer)],
    [
      'seeded and unseeded dropout',
      () =>
        stack(
          first([16]),
          layers.dropout({ rate: 0.3, seed: 5 }),
          layers.dropout({ rate: 0.1 }),
          dense(3),
        ),
    ],
  ])('trains and serves probabilities: %s', async (_, make) => {
    const data = blobs({})
    const { numTensors } = tf.memory()
    const spec = specFrom(make(), quick)
    const result = await train(data, spec)
    const { validation } = result.metrics
    expect(validation?.kind === 'single' && validation.accuracy).toBeGreaterThan(0.9)
    expect((await train(data, spec)).artifacts).toEqual(result.artifacts)
    const head = await openHead(result.artifacts)
    const row = head.predict(plainOf(data).subarray(0, 16), 1)
    head.close()
    expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5)
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('computes the same function with its softmax inside as after it', async () => {
    const inside = await train(blobs({}), specFrom(stack(first([16]), dense(3, 'softmax')), quick))
    const after = await train(blobs({}), specFrom(stack(first([16]), dense(3)), quick))
    expect(inside.artifacts.weights).toEqual(after.artifacts.weights)
  })

  it('takes features in their own shape', async () => {
    const data = blobs({ featureShape: [2, 2, 4] })
    const flat = () => layers.flatten({ inputShape: [2, 2, 4] })
    const result = await train(data, specFrom(stack(flat(), dense(3, 'softmax')), quick))
    const head = await openHead(result.artifacts)
    expect(head.inputWidth).toBe(16)
    head.close()
    expect(result.metrics.validation).toMatchObject({ accuracy: 1 })
  })

  it('predicts a regression in target units, folded into its last dense layer or not', async () => {
    const normal = normals(2)
    const rows = Array.from({ length: 300 }, () => {
      const features = Array.from({ length: 3 }, normal)
      return { features, label: [1000 + 50 * (features[0] ?? 0)] }
    })
    const data = dataOf({ kind: 'regression', outputs: ['y'] }, 3, rows)
    const folded = await train(
      data,
      specFrom(stack(first([3]), dense(1)), { ...quick, epochs: 40 }),
    )
    const { validation } = folded.metrics
    expect(validation?.kind === 'regression' && validation.r2).toBeGreaterThan(0.95)
    // No last linear dense layer: targets stay as they are, and the head still trains.
    const relu = await train(data, specFrom(stack(first([3]), dense(1, 'relu')), quick))
    expect(relu.metrics.validation?.kind).toBe('regression')
  })

  it('takes several labels with sigmoid', async () => {
    const normal = normals(2)
    const rows = Array.from({ length: 200 }, (_, row) => {
      const label = [0, 1].filter((index) => (row >> index) & 1)
      const features = [0, 1].map((axis) => normal() / 2 + (label.includes(axis) ? 2 : -2))
      return { features, label }
    })
    const data = dataOf({ kind: 'multi', classes: ['a', 'b'] }, 2, rows)
    const result = await train(data, specFrom(stack(first([2]), dense(2, 'sigmoid')), quick))
    expect(result.metrics.validation).toMatchObject({ accuracy: 1 })
  })

  it('uses regularizers and constraints of its layers', async () => {
    const model = (regularized: boolean) => {
      const regularizer = regularized ? { kernelRegularizer: 'l1l2' as const } : {}
      return specFrom(stack(layers.dense({ units: 3, inputShape: [16], ...regularizer })), quick)
    }
    const size = async (spec: HeadSpec) => {
      const { weights } = (await train(blobs({}), spec)).artifacts
      return new Float32Array(weights.slice().buffer).reduce((sum, w) => sum + w * w, 0)
    }
    expect(await size(model(true))).toBeLessThan(await size(model(false)))
  })
})

describe('batch normalization in a head', () => {
  const model = () =>
    stack(layers.batchNormalization({ inputShape: [16], momentum: 0.9 }), first([16]), dense(3))

  it('learns its moving statistics from train batches only, and serves with them', async () => {
    const shifted = blobs({})
    const data = withViews(shifted, [Float32Array.from(plainOf(shifted), (v) => 5 * v + 40)])
    const { artifacts, metrics, history } = await train(
      data,
      specFrom(model(), { ...quick, epochs: 20 }),
    )
    expect(metrics.train?.kind === 'single' && metrics.train.accuracy).toBeGreaterThan(0.95)
    expect(history.at(-1)?.train.loss).toBe(metrics.train?.loss)
    const values = new Float32Array(artifacts.weights.slice().buffer)
    const at = (name: string) => {
      let offset = 0
      for (const spec of artifacts.weightSpecs) {
        if (spec.name.endsWith(name)) return values[offset] as number
        offset += spec.shape.reduce((a, b) => a * b, 1)
      }
      return Number.NaN
    }
    const column = Array.from({ length: 200 }, (_, row) => row)
      .filter((row) => data.splits[row] === 'train')
      .map((row) => plainOf(data)[row * 16] as number)
    const mean = column.reduce((a, b) => a + b, 0) / column.length
    const variance = column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / column.length
    expect(Math.abs(at('moving_mean') - mean) / mean).toBeLessThan(0.05)
    expect(Math.abs(at('moving_variance') - variance) / variance).toBeLessThan(0.2)
    // Inference: a row alone gives what it gives among others.
    const head = await openHead(artifacts)
    const features = plainOf(data)
    const all = head.predict(features, 200)
    expect(head.predict(features.subarray(0, 16), 1)).toEqual(all.slice(0, 3))
    head.close()
  })
})

describe('what is refused of a custom head', () => {
  const request = (model: LayersModel) =>
    buildHead({
      spec: specFrom(model),
      featureShape: [2, 8],
      target: { kind: 'single', classes: ['a', 'b', 'c'] },
      seed: 1,
    })

  it.each<[string, () => LayersModel, RegExp]>([
    ['another input', () => stack(first([15]), dense(3)), /\[15\].*\[2, 8\] or \[16\]/],
    ['another number of units', () => stack(first([16]), dense(4)), /\[4\].*3 classes/],
    [
      'an output with axes',
      () => stack(layers.dense({ units: 3, inputShape: [2, 8] })),
      /\[2, 3\]/,
    ],
    [
      'sigmoid for single labels',
      () => stack(first([16]), dense(3, 'sigmoid')),
      /sigmoid.*softmax/,
    ],
    ['relu at the end', () => stack(first([16]), dense(3, 'relu')), /relu.*softmax/],
    [
      'noise without a seed',
      () => stack(first([16]), layers.gaussianNoise({ stddev: 1 }), dense(3)),
      /GaussianNoise.*seeded/,
    ],
    [
      'a frozen batch normalization',
      () => stack(layers.batchNormalization({ inputShape: [16], trainable: false }), dense(3)),
      /BatchNormalization.*freeze/,
    ],
    [
      'batch normalization without scale',
      () => stack(layers.batchNormalization({ inputShape: [16], scale: false }), dense(3)),
      /scale/,
    ],
    [
      'nothing to train',
      () => stack(layers.dense({ units: 3, inputShape: [16], trainable: false })),
      /no trainable weight/,
    ],
  ])('%s', async (_, make, message) => {
    const { numTensors } = tf.memory()
    await expect(request(make())).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(message) as unknown,
    })
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  const layer = (class_name: string, config: object) => ({ class_name, config })
  const building = (...made: object[]) =>
    buildHead({
      spec: specOf({
        kind: 'custom',
        topology: { class_name: 'Sequential', config: { name: 's', layers: made } },
      } as unknown as Parameters<typeof specOf>[0]),
      featureShape: [16],
      target: { kind: 'single', classes: ['a', 'b', 'c'] },
      seed: 1,
    })
  const input = layer('InputLayer', { batch_input_shape: [null, 16], name: 'in' })

  it('a layer class that TF.js does not know, by name', async () => {
    await expect(building(input, layer('Lambda', { name: 'x' }))).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(/Lambda/) as unknown,
    })
  })

  it('more parameters than the limit, before they are allocated', async () => {
    const { numTensors } = tf.memory()
    const huge = layer('Dense', { units: 1e12, name: 'huge' })
    await expect(building(input, huge)).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(/parameters/) as unknown,
    })
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('more layers than the limit', async () => {
    const many = Array.from({ length: 1001 }, (_, index) =>
      layer('Dense', { units: 3, name: `d${index}` }),
    )
    await expect(building(input, ...many)).rejects.toMatchObject({ code: 'HEAD_INVALID' })
  })

  it('a topology that is none', async () => {
    await expect(building(layer('Dense', {}))).rejects.toMatchObject({ code: 'HEAD_INVALID' })
    await expect(building(7 as unknown as object)).rejects.toMatchObject({ code: 'HEAD_INVALID' })
  })

  it('layers that the backend cannot train, when training starts', async () => {
    const conv = stack(
      layers.reshape({ targetShape: [4, 4, 1], inputShape: [16] }),
      layers.conv2d({ filters: 2, kernelSize: 2 }),
      layers.flatten(),
      dense(3),
    )
    const spec = specFrom(conv)
    const { numTensors } = tf.memory()
    await expect(train(blobs({}), spec)).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(/wasm/) as unknown,
    })
    expect(tf.memory().numTensors).toBe(numTensors)
  })
})
