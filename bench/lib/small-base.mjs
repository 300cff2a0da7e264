// Owns a small convolutional base for 32x32 RGB images with made-up weights: what is measured beside it
// is the service, not the engine.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRandom } from '../../dist/src/head/random.js'

export const SMALL_SIDE = 32
/** Features of one image. */
export const SMALL_CUT = 'pool'

const CHANNELS = [3, 16, 32]

const convolution = (index) => ({
  class_name: 'Conv2D',
  config: {
    name: `conv${index}`,
    filters: CHANNELS[index],
    kernel_size: [3, 3],
    strides: [2, 2],
    padding: 'same',
    data_format: 'channels_last',
    activation: 'relu',
    use_bias: true,
  },
})

const LAYERS = [
  {
    class_name: 'InputLayer',
    config: {
      batch_input_shape: [null, SMALL_SIDE, SMALL_SIDE, 3],
      dtype: 'float32',
      sparse: false,
      name: 'image',
    },
  },
  convolution(1),
  convolution(2),
  {
    class_name: 'GlobalAveragePooling2D',
    config: { name: SMALL_CUT, data_format: 'channels_last' },
  },
]

/** Writes model.json and weights.bin. */
export const writeSmallBase = async (folder) => {
  const weights = [1, 2].flatMap((index) => [
    { name: `conv${index}/kernel`, shape: [3, 3, CHANNELS[index - 1], CHANNELS[index]] },
    { name: `conv${index}/bias`, shape: [CHANNELS[index]] },
  ])
  const random = createRandom('small base', 0)
  const count = weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
  const values = Float32Array.from({ length: count }, () => (random.below(2001) - 1000) / 5000)
  const model = {
    format: 'layers-model',
    generatedBy: 'bench',
    convertedBy: null,
    modelTopology: {
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
      model_config: { class_name: 'Sequential', config: { name: 'small', layers: LAYERS } },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: weights.map((weight) => ({ ...weight, dtype: 'float32' })),
      },
    ],
  }
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'model.json'), JSON.stringify(model))
  await writeFile(join(folder, 'weights.bin'), Buffer.from(values.buffer))
}
