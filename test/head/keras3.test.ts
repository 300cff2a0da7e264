import { readFile } from 'node:fs/promises'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { assertHeadFits } from '../../src/head/assert-fits.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { buildHead } from '../../src/head/build.js'
import type { HeadSpec } from '../../src/head/spec.js'
import { trainHead } from '../../src/head/train.js'
import { blobs, specOf } from './synthetic.js'

beforeAll(ensureHeadBackend)

const customOf = (topology: object): HeadSpec =>
  specOf({ kind: 'custom', topology, epochs: 4, learningRate: 0.02 } as Parameters<
    typeof specOf
  >[0])

// The forms of model.to_json() of Keras 3.15, as in test/fixtures/keras3.
const dtype = {
  module: 'keras',
  class_name: 'DTypePolicy',
  config: { name: 'float32' },
  registered_name: null,
}
const tensor = (name: string, node = 0) => ({
  class_name: '__keras_tensor__',
  config: { shape: [null, 16], dtype: 'float32', keras_history: [name, node, 0] },
})
const layer3 = (class_name: string, name: string, config: object, args: unknown[]) => ({
  module: 'keras.layers',
  class_name,
  config: { name, trainable: true, dtype, ...config },
  registered_name: null,
  name,
  inbound_nodes: args.length === 0 ? [] : [{ args, kwargs: {} }],
})
const dense3 = (name: string, units: number, from: string, config: object = {}) =>
  layer3('Dense', name, { units, activation: 'relu', use_bias: true, ...config }, [tensor(from)])
const input3 = (name: string) =>
  layer3('InputLayer', name, { batch_shape: [null, 16], dtype: 'float32', sparse: false }, [])
const model3 = (name: string, layers: object[], from: string, to: string) => ({
  module: 'keras.src.models.functional',
  class_name: 'Functional',
  config: { name, trainable: true, layers, input_layers: [from, 0, 0], output_layers: [to, 0, 0] },
  registered_name: 'Functional',
  name,
})

const branching3 = (last: object = { activation: 'silu' }, regularizer: unknown = null) => ({
  keras_version: '3.15.1',
  backend: 'tensorflow',
  model_config: model3(
    'h',
    [
      input3('in'),
      dense3('left', 8, 'in', { activation: 'silu', kernel_regularizer: regularizer }),
      dense3('right', 4, 'in', last),
      layer3('Concatenate', 'join', { axis: -1 }, [[tensor('left'), tensor('right')]]),
      layer3('BatchNormalization', 'bn', { axis: -1, momentum: 0.9, epsilon: 0.001 }, [
        tensor('join'),
      ]),
      dense3('out', 3, 'bn', { activation: 'softmax' }),
    ],
    'in',
    'out',
  ),
})

/** The same head in the words of Keras 2. */
const branching2 = (regularizer: unknown = null) => {
  const layer = (class_name: string, name: string, config: object, from: string[]) => ({
    class_name,
    name,
    config: { name, trainable: true, dtype: 'float32', ...config },
    inbound_nodes: from.length === 0 ? [] : [from.map((source) => [source, 0, 0, {}])],
  })
  const layers = [
    layer('InputLayer', 'in', { batch_input_shape: [null, 16] }, []),
    layer('Dense', 'left', { units: 8, activation: 'swish', kernel_regularizer: regularizer }, [
      'in',
    ]),
    layer('Dense', 'right', { units: 4, activation: 'swish' }, ['in']),
    layer('Concatenate', 'join', { axis: -1 }, ['left', 'right']),
    layer('BatchNormalization', 'bn', { axis: -1, momentum: 0.9, epsilon: 0.001 }, ['join']),
    layer('Dense', 'out', { units: 3, activation: 'softmax' }, ['bn']),
  ]
  const config = { name: 'h', layers, input_layers: [['in', 0, 0]], output_layers: [['out', 0, 0]] }
  return { class_name: 'Model', config }
}

const train = (topology: object) =>
  trainHead({ data: blobs({ rows: 60 }), spec: customOf(topology), seed: 1 })

describe('a head of Keras 3', () => {
  it('trains to the bits of the same head in the words of Keras 2', async () => {
    const { numTensors } = tf.memory()
    const trained = await train(branching3())
    expect(trained).toEqual(await train(branching2()))
    expect(trained.metrics.train).toMatchObject({ kind: 'single' })
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('keeps its regularizers', async () => {
    const l2 = { module: 'keras.regularizers', class_name: 'L2', config: { l2: 0.05 } }
    const l1l2 = { class_name: 'L1L2', config: { l1: 0, l2: 0.05 } }
    const regularized = await train(branching3(undefined, l2))
    expect(regularized).toEqual(await train(branching2(l1l2)))
    expect(regularized.artifacts.weights).not.toEqual((await train(branching3())).artifacts.weights)
  })

  it('may hold a nested model', async () => {
    const body = model3('body', [input3('x'), dense3('d', 8, 'x')], 'x', 'd')
    const nested = { ...body, inbound_nodes: [{ args: [tensor('in')], kwargs: {} }] }
    const out = dense3('out', 3, 'body', { activation: 'softmax' })
    const { artifacts } = await train(model3('h', [input3('in'), nested, out], 'in', 'out'))
    expect(artifacts.weightSpecs.map(({ name }) => name)).toEqual([
      'd/kernel',
      'd/bias',
      'out/kernel',
      'out/bias',
    ])
  })

  it.each([
    ['functional', 6],
    ['nested', 3],
  ])('is built from what Keras 3 really writes: %s', async (name, classes) => {
    const text = await readFile(`test/fixtures/keras3/${name}/model.json`, 'utf8')
    const { modelTopology } = JSON.parse(text) as { modelTopology: object }
    const { numTensors } = tf.memory()
    const head = await buildHead({
      spec: customOf(modelTopology),
      featureShape: [12, 12, 3],
      target: { kind: 'single', classes: Array.from({ length: classes }, (_, i) => `${i}`) },
      seed: 1,
    })
    expect(head.inputShape).toEqual([12, 12, 3])
    head.dispose()
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('is refused where TF.js would compute otherwise', async () => {
    const work = assertHeadFits({
      spec: customOf(branching3({ activation: 'hard_sigmoid' })),
      featureShape: [16],
      target: { kind: 'single', classes: ['a', 'b', 'c'] },
      splits: new Set(['train']),
    })
    await expect(work).rejects.toMatchObject({
      code: 'HEAD_INVALID',
      message: expect.stringMatching(/hard_sigmoid inside of a layer of Keras 3/) as unknown,
    })
  })
})
