// Every class of layer that the compiler knows, with several configs each: alone on the input, whose
// channels are last, and after a convolution, whose channels are first.
import {
  input,
  layers as l,
  model as makeModel,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../support/graph-models.js'
import {
  chainOf,
  expectSameAsTfjs,
  fillWeights,
  type Layer,
  type Size,
} from '../support/layers-models.js'

beforeAll(() => useBackend('cpu'))

const IMAGE = [7, 5, 4]
const SIGNAL = [9, 3]
const VECTOR = [6]
const CHANNELS_LAST = 'channelsLast' as const

type Case = readonly [name: string, size: Size, make: () => Layer]

const ACTIVATIONS = [
  'linear',
  'relu',
  'relu6',
  'sigmoid',
  'hardSigmoid',
  'swish',
  'mish',
  'tanh',
  'elu',
  'selu',
  'softplus',
  'softsign',
  'softmax',
  'logSoftmax',
  'gelu',
  'gelu_new',
] as never[]

const activations: Case[] = [
  ...ACTIVATIONS.flatMap((activation): Case[] => [
    [`activation ${activation}`, IMAGE, () => l.activation({ activation })],
    [`activation ${activation} of a vector`, VECTOR, () => l.activation({ activation })],
  ]),
  ['relu', IMAGE, () => l.reLU()],
  ['relu with a maximum', IMAGE, () => l.reLU({ maxValue: 1.5 })],
  ['leaky relu', IMAGE, () => l.leakyReLU({ alpha: 0.2 })],
  ['leaky relu, default', SIGNAL, () => l.leakyReLU()],
  ['prelu', IMAGE, () => l.prelu()],
  ['prelu along channels', IMAGE, () => l.prelu({ sharedAxes: [1, 2] })],
  ['prelu along rows', IMAGE, () => l.prelu({ sharedAxes: [2, 3] })],
  ['prelu of a signal', SIGNAL, () => l.prelu({ sharedAxes: 1 as never })],
  ['prelu of a vector', VECTOR, () => l.prelu()],
  ['elu', IMAGE, () => l.elu()],
  ['thresholded relu', IMAGE, () => l.thresholdedReLU({ theta: 0.7 })],
  ['softmax', IMAGE, () => l.softmax({ axis: -1 })],
  ['softmax, last axis by number', IMAGE, () => l.softmax({ axis: 3 })],
  ['softmax of a vector, default', VECTOR, () => l.softmax()],
]

const convolutions: Case[] = [
  ['conv2d', IMAGE, () => l.conv2d({ filters: 3, kernelSize: 3 })],
  ['conv2d with one number', IMAGE, () => l.conv2d({ filters: 3, kernelSize: 1, useBias: false })],
  [
    'conv2d with an activation',
    IMAGE,
    () => l.conv2d({ filters: 3, kernelSize: [3, 2], padding: 'same', activation: 'relu6' }),
  ],
  [
    'conv2d softmax',
    IMAGE,
    () => l.conv2d({ filters: 3, kernelSize: 2, strides: [2, 1], activation: 'softmax' }),
  ],
  ['depthwise', IMAGE, () => l.depthwiseConv2d({ kernelSize: 3, padding: 'same' })],
  [
    'depthwise with a multiplier',
    IMAGE,
    () =>
      l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 3, activation: 'elu', useBias: false }),
  ],
  ['separable', IMAGE, () => l.separableConv2d({ filters: 5, kernelSize: 3 })],
  [
    'separable with a multiplier',
    IMAGE,
    () =>
      l.separableConv2d({
        filters: 5,
        kernelSize: 3,
        depthMultiplier: 2,
        padding: 'same',
        strides: 2,
        useBias: false,
        activation: 'tanh',
      }),
  ],
  ['conv1d', SIGNAL, () => l.conv1d({ filters: 4, kernelSize: 3 })],
  [
    'conv1d, dilated',
    SIGNAL,
    () =>
      l.conv1d({ filters: 4, kernelSize: 3, dilationRate: 2, padding: 'same', activation: 'relu' }),
  ],
  ['transposed', IMAGE, () => l.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2 })],
  [
    'transposed, same',
    IMAGE,
    () =>
      l.conv2dTranspose({
        filters: 3,
        kernelSize: 4,
        strides: [2, 3],
        padding: 'same',
        activation: 'relu',
        useBias: false,
      }),
  ],
  ['dense of a vector', VECTOR, () => l.dense({ units: 3, activation: 'softmax' })],
  ['dense without a bias', VECTOR, () => l.dense({ units: 3, useBias: false })],
  ['dense of an image', IMAGE, () => l.dense({ units: 3, activation: 'relu' })],
  ['dense of a signal', SIGNAL, () => l.dense({ units: 3, useBias: false })],
]

const normalisations: Case[] = [
  ['batch normalization', IMAGE, () => l.batchNormalization()],
  ['batch normalization of a vector', VECTOR, () => l.batchNormalization({ epsilon: 0.1 })],
  ['batch normalization of a signal', SIGNAL, () => l.batchNormalization({ axis: 2 })],
  ['batch normalization without scale', IMAGE, () => l.batchNormalization({ scale: false })],
  [
    'batch normalization without both',
    IMAGE,
    () => l.batchNormalization({ scale: false, center: false, epsilon: 0 }),
  ],
  ['layer normalization', IMAGE, () => l.layerNormalization()],
  [
    'layer normalization of all',
    IMAGE,
    () => l.layerNormalization({ axis: [1, 2, 3], epsilon: 0.01 }),
  ],
  ['layer normalization of a vector', VECTOR, () => l.layerNormalization({ scale: false })],
  ['layer normalization, uncentered', SIGNAL, () => l.layerNormalization({ center: false })],
]

const poolings: Case[] = [
  ['max', IMAGE, () => l.maxPooling2d({})],
  ['max, same', IMAGE, () => l.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' })],
  ['average', IMAGE, () => l.averagePooling2d({ poolSize: [3, 2], strides: 1 })],
  ['average, same', IMAGE, () => l.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' })],
  ['max of a signal', SIGNAL, () => l.maxPooling1d({ poolSize: 3, strides: 2, padding: 'same' })],
  ['average of a signal', SIGNAL, () => l.averagePooling1d({ poolSize: 2, padding: 'same' })],
  ['global average', IMAGE, () => l.globalAveragePooling2d({ dataFormat: CHANNELS_LAST })],
  ['global max', IMAGE, () => l.globalMaxPooling2d({ dataFormat: CHANNELS_LAST })],
  ['global average of a signal', SIGNAL, () => l.globalAveragePooling1d()],
  ['global max of a signal', SIGNAL, () => l.globalMaxPooling1d()],
]

const shapes: Case[] = [
  ['flatten', IMAGE, () => l.flatten()],
  ['flatten of one pixel', [1, 1, 4], () => l.flatten()],
  ['flatten of a signal', SIGNAL, () => l.flatten()],
  ['reshape', IMAGE, () => l.reshape({ targetShape: [5, 28] })],
  ['reshape with a free size', IMAGE, () => l.reshape({ targetShape: [4, -1, 5] })],
  ['reshape to one pixel', VECTOR, () => l.reshape({ targetShape: [1, 1, 6] })],
  ['reshape of one pixel', [1, 1, 4], () => l.reshape({ targetShape: [4] })],
  ['reshape of one pixel to two', [1, 1, 4], () => l.reshape({ targetShape: [2, 1, 2] })],
  ['permute', IMAGE, () => l.permute({ dims: [3, 1, 2] })],
  ['permute of a signal', SIGNAL, () => l.permute({ dims: [2, 1] })],
  ['repeat vector', VECTOR, () => l.repeatVector({ n: 3 })],
  ['zero padding', IMAGE, () => l.zeroPadding2d()],
  [
    'zero padding, uneven',
    IMAGE,
    () =>
      l.zeroPadding2d({
        padding: [
          [0, 1],
          [2, 3],
        ],
      }),
  ],
  [
    'cropping',
    IMAGE,
    () =>
      l.cropping2D({
        cropping: [
          [1, 0],
          [2, 1],
        ],
      }),
  ],
  ['cropping, even', IMAGE, () => l.cropping2D({ cropping: 1 as never })],
  ['up-sampling', IMAGE, () => l.upSampling2d({ size: [2, 3] })],
  [
    'up-sampling, bilinear',
    IMAGE,
    () => l.upSampling2d({ size: [3, 2], interpolation: 'bilinear' }),
  ],
  ['rescaling', IMAGE, () => l.rescaling({ scale: 1 / 127.5, offset: -1 })],
  ['rescaling by one', IMAGE, () => l.rescaling({ scale: 1 })],
  [
    'rescaling by channel',
    IMAGE,
    () => l.rescaling({ scale: [1, 2, 3, 4] as never, offset: [0.5, 0, -1, 2] as never }),
  ],
  ['dropout', IMAGE, () => l.dropout({ rate: 0.5 })],
  ['spatial dropout', SIGNAL, () => l.spatialDropout1d({ rate: 0.5 })],
  ['gaussian noise', IMAGE, () => l.gaussianNoise({ stddev: 2 })],
  ['gaussian dropout', IMAGE, () => l.gaussianDropout({ rate: 0.5 })],
  ['alpha dropout', IMAGE, () => l.alphaDropout({ rate: 0.5 })],
]

/** Something that gives channels first, with as many channels as the input. */
const before = (size: Size): Layer[] => {
  const filters = size.at(-1) ?? 1
  if (size.length === 3) return [l.conv2d({ filters, kernelSize: 1 })]
  return size.length === 2 ? [l.conv1d({ filters, kernelSize: 1 })] : [l.dense({ units: filters })]
}

const all = { activations, convolutions, normalisations, poolings, shapes }

describe.each(Object.entries(all))('%s', (_, cases) => {
  it.each(cases)('%s gives what TF.js gives', async (_, size, make) => {
    const { last } = await expectSameAsTfjs(chainOf(size, make()))
    expect(new Set(last.values).size).toBeGreaterThan(1)
    await expectSameAsTfjs(chainOf(size, ...before(size), make(), l.reLU({ maxValue: 2 })))
  })
})

type Merge = readonly [name: string, make: () => Layer, sizes: readonly Size[]]

const TWICE = [IMAGE, IMAGE] as const
const merges: Merge[] = [
  ['add', () => l.add(), [IMAGE, IMAGE, IMAGE]],
  ['multiply', () => l.multiply(), TWICE],
  ['multiply by one pixel', () => l.multiply(), [IMAGE, [1, 1, 4]]],
  ['multiply by a vector', () => l.multiply(), [[9, 3], [3]]],
  ['average', () => l.average(), [IMAGE, IMAGE, IMAGE]],
  ['maximum', () => l.maximum(), TWICE],
  ['minimum', () => l.minimum(), [IMAGE, IMAGE, IMAGE]],
  ['concatenate', () => l.concatenate(), [IMAGE, [7, 5, 2], IMAGE]],
  ['concatenate columns', () => l.concatenate({ axis: 2 }), [IMAGE, [7, 3, 4]]],
  ['concatenate rows', () => l.concatenate({ axis: 1 }), [IMAGE, [2, 5, 4]]],
  ['concatenate vectors', () => l.concatenate(), [[3], [2]]],
  ['dot of vectors', () => l.dot({ axes: 1 }), [VECTOR, VECTOR]],
  [
    'dot of matrices',
    () => l.dot({ axes: [2, 1] }),
    [
      [3, 4],
      [4, 2],
    ],
  ],
  [
    'dot of matrices, last axes',
    () => l.dot({ axes: -1 }),
    [
      [3, 4],
      [2, 4],
    ],
  ],
  [
    'dot of matrices, first axes',
    () => l.dot({ axes: [1, 1] }),
    [
      [4, 3],
      [4, 2],
    ],
  ],
]

/** Each operand of its size out of one vector; one of them passes a convolution where it can. */
const operandsOf = (x: SymbolicTensor, sizes: readonly Size[], convolved: number) =>
  sizes.map((size, i) => {
    const units = size.reduce<number>((a, b) => a * (b ?? 1), 1)
    const flat = l.dense({ units }).apply(x)
    const shaped = l.reshape({ targetShape: [...size] as number[] }).apply(flat) as SymbolicTensor
    if (i !== convolved || size.length !== 3) return shaped
    return l.conv2d({ filters: size[2] ?? 1, kernelSize: 1 }).apply(shaped) as SymbolicTensor
  })

describe('merges', () => {
  it.each(merges)('%s gives what TF.js gives in every mix of orders', async (_, make, sizes) => {
    for (const convolved of [-1, 0, 1]) {
      const inputs = input({ shape: [5] })
      const outputs = make().apply(operandsOf(inputs, sizes, convolved)) as SymbolicTensor
      await expectSameAsTfjs(fillWeights(makeModel({ inputs, outputs })))
    }
  })
})
