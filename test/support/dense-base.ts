// Owns a base that takes rows of numbers, no images, written to disk as tensorflowjs_converter does;
// and tensor files (.npy) for it.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const DENSE_INPUT = 6
export const DENSE_FEATURES = 10

/** sin of multiples: fixed values of both signs. */
const fixedValues = (count: number, scale: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => scale * Math.sin(1 + i * 1.7))

const layer = (className: string, config: object): object => ({ class_name: className, config })

/**
 * The layers of the base: `rows` [6], `features` [10] (relu).
 *
 * @param deeper a layer behind them, `squashed` [10] (tanh): a second cut.
 */
export const writeDenseBase = async (folder: string, deeper = false): Promise<void> => {
  const layers = [
    layer('InputLayer', {
      batch_input_shape: [null, DENSE_INPUT],
      dtype: 'float32',
      sparse: false,
      name: 'rows',
    }),
    layer('Dense', {
      name: 'features',
      units: DENSE_FEATURES,
      activation: 'relu',
      use_bias: true,
      trainable: true,
    }),
    ...(deeper ? [layer('Activation', { name: 'squashed', activation: 'tanh' })] : []),
  ]
  const weights = [
    { name: 'features/kernel', shape: [DENSE_INPUT, DENSE_FEATURES], dtype: 'float32' },
    { name: 'features/bias', shape: [DENSE_FEATURES], dtype: 'float32' },
  ]
  const model = {
    format: 'layers-model',
    generatedBy: 'test',
    convertedBy: null,
    modelTopology: {
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
      model_config: layer('Sequential', { name: 'dense', layers }),
    },
    weightsManifest: [{ paths: ['weights.bin'], weights }],
  }
  const kernel = fixedValues(DENSE_INPUT * DENSE_FEATURES, 0.5)
  const bias = fixedValues(DENSE_FEATURES, 0.1)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'model.json'), JSON.stringify(model))
  await writeFile(
    join(folder, 'weights.bin'),
    Buffer.concat([Buffer.from(kernel.buffer), Buffer.from(bias.buffer)]),
  )
}

/** A .npy file of float32 values, C order. */
export const npyOf = (shape: readonly number[], values: Float32Array): Buffer => {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`
  const header = Buffer.from(`${dict.padEnd(117)}\n`, 'latin1')
  const length = Buffer.alloc(2)
  length.writeUInt16LE(header.length)
  const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1')
  const data = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return Buffer.concat([magic, length, header, data])
}

/** Row i is of class i % 2: the sign of its first value; all rows differ. */
export const denseRows = (rows: number, width = DENSE_INPUT): Float32Array =>
  Float32Array.from({ length: rows * width }, (_, i) => {
    const row = Math.floor(i / width)
    if (i % width === 0) return row % 2 === 0 ? 1 : -1
    return Math.sin(row * 12.9898 + (i % width) * 78.233)
  })

/** Labels of denseRows as a CSV with the column `label`. */
export const denseLabels = (rows: number): string =>
  `label\n${Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? 'plus' : 'minus')).join('\n')}\n`

/** Writes `rows.npy` and `labels.csv`. */
export const writeDenseDataset = async (folder: string, rows: number): Promise<void> => {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'rows.npy'), npyOf([rows, DENSE_INPUT], denseRows(rows)))
  await writeFile(join(folder, 'labels.csv'), denseLabels(rows))
}
