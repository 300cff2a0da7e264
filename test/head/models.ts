// Owns small made-up bases for the tests of cutting and composing: flat, nested and shared layers.
import * as tf from '@tensorflow/tfjs-core'
import {
  input,
  type LayersModel,
  layers,
  model as makeModel,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { createRandom } from '../../src/head/random.js'

export const randomValues = (count: number, ...key: (string | number)[]): Float32Array => {
  const random = createRandom('models', ...key)
  return Float32Array.from({ length: count }, () => 2 * random.float() - 1)
}

const then = (x: SymbolicTensor, ...chain: layers.Layer[]): SymbolicTensor =>
  chain.reduce((value, layer) => layer.apply(value) as SymbolicTensor, x)

const conv = (filters: number, name: string, inputShape?: number[]) =>
  layers.conv2d({
    filters,
    kernelSize: 3,
    padding: 'same',
    useBias: false,
    name,
    ...(inputShape === undefined ? {} : { inputShape }),
  })
const norm = (name: string) => layers.batchNormalization({ name })
const relu = (name: string) => layers.reLU({ name })

const functional = (
  name: string,
  shape: number[],
  body: (x: SymbolicTensor) => SymbolicTensor,
): LayersModel => {
  const x = input({ shape, name: `${name}_input` })
  return makeModel({ inputs: x, outputs: body(x), name })
}

const block = (name: string, shape: number[], filters: number) =>
  functional(name, shape, (x) =>
    then(x, conv(filters, `${name}_conv`), norm(`${name}_bn`), relu(`${name}_relu`)),
  )

const SHAPE = [8, 8, 3]

/** Each takes [8, 8, 3]. Layer names are those that a careless user would give. */
export const BASES = {
  flat: () =>
    functional('flat', SHAPE, (x) =>
      then(
        x,
        conv(4, 'conv'),
        norm('bn'),
        relu('act'),
        layers.globalAveragePooling2d({ dataFormat: 'channelsLast', name: 'gap' }),
        layers.dense({ units: 5, name: 'dense' }),
      ),
    ),
  residual: () =>
    functional('residual', SHAPE, (x) => {
      const a = then(x, conv(4, 'a'), norm('a_bn'))
      const b = then(a, conv(4, 'b'))
      return then(layers.add({ name: 'sum' }).apply([a, b]) as SymbolicTensor, relu('out'))
    }),
  /** A nested model first, as tf.keras applications are used. */
  nestedFirst: () =>
    functional('nestedFirst', SHAPE, (x) =>
      then(x, block('inner', SHAPE, 4), layers.flatten({ name: 'flatten' })),
    ),
  /** TF.js calls nested models model1, model2: names that a cut must not take for itself. */
  nestedMiddle: () =>
    functional('nestedMiddle', SHAPE, (x) =>
      then(
        x,
        block('model1', SHAPE, 4),
        conv(6, 'between'),
        block('model2', [8, 8, 6], 5),
        relu('last'),
      ),
    ),
  nestedTwice: () =>
    functional('nestedTwice', SHAPE, (x) => {
      const outer = functional('outer', [8, 8, 4], (y) =>
        then(y, conv(4, 'pre'), block('deep', [8, 8, 4], 6), relu('post')),
      )
      return then(x, conv(4, 'stem'), outer, norm('end'))
    }),
  sequentialFirst: () =>
    sequential({
      name: 'sequentialFirst',
      layers: [
        sequential({
          name: 'body',
          layers: [conv(4, 'c1', SHAPE), norm('n1'), relu('r1')],
        }) as layers.Layer,
        conv(5, 'c2'),
        layers.flatten({ name: 'flat' }),
      ],
    }),
  sequentialMiddle: () =>
    sequential({
      name: 'sequentialMiddle',
      layers: [
        conv(4, 'c1', SHAPE),
        sequential({
          name: 'body',
          layers: [
            sequential({
              name: 'core',
              layers: [conv(5, 'c2', [8, 8, 4]), norm('n2')],
            }) as layers.Layer,
            block('part', [8, 8, 5], 6) as layers.Layer,
          ],
        }) as layers.Layer,
        relu('r3'),
      ],
    }),
  /** One layer and one nested model, each used twice. */
  shared: () =>
    functional('shared', SHAPE, (x) => {
      const once = conv(3, 'once')
      const tower = block('tower', SHAPE, 3)
      const a = then(x, once, tower)
      const b = then(a, once, tower)
      return then(layers.concatenate({ name: 'both' }).apply([a, b]) as SymbolicTensor, relu('end'))
    }),
  /** Two nested models with layers of the same name: weights differ in name, other layers do not. */
  towers: () =>
    functional('towers', SHAPE, (x) => {
      const tower = (name: string) =>
        functional(name, SHAPE, (y) => then(y, conv(3, `${name}_conv`), relu('relu')))
      const parts = [then(x, tower('left')), then(x, tower('right'))]
      return layers.concatenate({ name: 'relu' }).apply(parts) as SymbolicTensor
    }),
} as const satisfies Record<string, () => LayersModel>

/** Gives every weight a value of its own; variances stay positive. */
export const fillWeights = (model: LayersModel, key: string): LayersModel => {
  for (const [index, weight] of [...new Set(model.weights)].entries()) {
    const values = randomValues(tf.util.sizeFromShape(weight.shape as number[]), key, index)
    const positive = weight.originalName.endsWith('variance')
    const tensor = tf.tensor(
      positive ? values.map((v) => 1 + v / 2) : values,
      weight.shape as number[],
    )
    weight.write(tensor)
    tensor.dispose()
  }
  return model
}

export const freeWeights = (model: LayersModel): void => {
  for (const weight of new Set(model.weights)) weight.dispose()
}

/** What TF.js saves of a model. */
export const savedModel = async (model: LayersModel): Promise<tf.io.ModelArtifacts> => {
  let saved: tf.io.ModelArtifacts | undefined
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      saved = artifacts
      return Promise.resolve({ modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) })
    }),
  )
  if (saved === undefined) throw new Error('nothing was saved')
  return saved
}

/** The base as it comes out of a store. The model is freed. */
export const baseOf = async (model: LayersModel): Promise<TfjsBase> => {
  const { modelTopology, weightSpecs = [], weightData } = await savedModel(model)
  freeWeights(model)
  const topology = JSON.parse(JSON.stringify(modelTopology)) as never
  const weights = JSON.parse(JSON.stringify(weightSpecs)) as never[]
  return assembleTfjsBase(
    {
      format: 'layers-model',
      topology,
      signature: undefined,
      groups: [{ paths: ['w'], weights }],
      parameters: 0,
    },
    new Map([['w', new Uint8Array(weightData as ArrayBuffer)]]),
  )
}
