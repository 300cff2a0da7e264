// Owns a base for 8x8 RGB images, small enough for any test, written to disk as
// tensorflowjs_converter does. Fixed weights; its BatchNormalization has statistics of its own.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const TINY_SIDE = 8
export const TINY_FILTERS = 4
/** What can be cut: `conv` and `bn` give [6, 6, 4], `pool` gives [4]. */
export const TINY_CUTS = ['conv', 'bn', 'pool'] as const

/** sin of multiples: fixed values of both signs. */
const fixedValues = (count: number, scale: number, offset = 0): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => offset + scale * Math.sin(1 + i * 1.7 + scale))

const LAYERS = [
  {
    class_name: 'InputLayer',
    config: {
      batch_input_shape: [null, TINY_SIDE, TINY_SIDE, 3],
      dtype: 'float32',
      sparse: false,
      name: 'image',
    },
  },
  {
    class_name: 'Conv2D',
    config: {
      name: 'conv',
      filters: TINY_FILTERS,
      kernel_size: [3, 3],
      strides: [1, 1],
      padding: 'valid',
      data_format: 'channels_last',
      activation: 'relu',
      use_bias: true,
      trainable: true,
    },
  },
  {
    class_name: 'BatchNormalization',
    config: {
      name: 'bn',
      axis: -1,
      momentum: 0.99,
      epsilon: 0.001,
      center: true,
      scale: true,
      trainable: true,
    },
  },
  {
    class_name: 'GlobalAveragePooling2D',
    config: { name: 'pool', data_format: 'channels_last', trainable: true },
  },
]

/**
 * Writes model.json and weights.bin.
 *
 * @param variant another number gives other weights, and so another base.
 * @returns the folder.
 */
export const writeTinyBase = async (folder: string, variant = 0): Promise<string> => {
  const kernel = [3, 3, 3, TINY_FILTERS]
  const channels = [TINY_FILTERS]
  const weights = [
    { name: 'conv/kernel', shape: kernel, values: fixedValues(108, 0.5, variant / 100) },
    { name: 'conv/bias', shape: channels, values: fixedValues(4, 0.1) },
    { name: 'bn/gamma', shape: channels, values: fixedValues(4, 0.2, 1) },
    { name: 'bn/beta', shape: channels, values: fixedValues(4, 0.3) },
    { name: 'bn/moving_mean', shape: channels, values: fixedValues(4, 0.4, 0.5) },
    { name: 'bn/moving_variance', shape: channels, values: fixedValues(4, 0.2, 0.8) },
  ]
  const model = {
    format: 'layers-model',
    generatedBy: 'test',
    convertedBy: null,
    modelTopology: {
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
      model_config: { class_name: 'Sequential', config: { name: 'tiny', layers: LAYERS } },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
  }
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'model.json'), JSON.stringify(model))
  const parts = weights.map(({ values }) => Buffer.from(values.buffer))
  await writeFile(join(folder, 'weights.bin'), Buffer.concat(parts))
  return folder
}
