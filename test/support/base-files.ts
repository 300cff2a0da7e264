// Owns bases that a test changes or breaks before they are written: the tiny base in memory, and a
// small GraphModel.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from './folders.js'
import { writeTinyBase } from './tiny-base.js'

export interface WeightEntry {
  name: string
  shape: number[]
  dtype: string
  quantization?: { dtype: string; scale?: number; min?: number }
}

/** model.json as it is parsed, to be changed at will. */
export interface EditableModel {
  format?: string
  modelTopology: Record<string, unknown>
  signature?: unknown
  weightsManifest: { paths: string[]; weights: WeightEntry[] }[]
}

export interface EditableBase {
  model: EditableModel
  weights: Buffer
}

export const tinyBaseInMemory = async (): Promise<EditableBase> => {
  const folder = await writeTinyBase(await makeFolder())
  const model = JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')) as EditableModel
  return { model, weights: await readFile(join(folder, 'weights.bin')) }
}

/** Writes model.json and its weights, cut into the files that its manifest names. */
export const writeBase = async (
  { model, weights }: EditableBase,
  into?: string,
): Promise<string> => {
  const folder = into ?? (await makeFolder())
  const paths = model.weightsManifest.flatMap((group) => group.paths)
  const step = Math.ceil(weights.length / Math.max(1, paths.length))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'model.json'), JSON.stringify(model))
  for (const [i, path] of paths.entries()) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), weights.subarray(i * step, (i + 1) * step))
  }
  return folder
}

const FILTERS = 5
const SIDE = 8
const attribute = {
  T: { type: 'DT_FLOAT' },
  data_format: { s: Buffer.from('NHWC').toString('base64') },
}
const ints = (...values: number[]) => ({ list: { i: values.map(String) } })
const constant = (name: string, dtype: string, dims: readonly number[]) => ({
  name,
  op: 'Const',
  attr: {
    dtype: { type: dtype },
    value: {
      tensor: { dtype, tensorShape: { dim: dims.map((size) => ({ size: String(size) })) } },
    },
  },
})

/** `conv` -> `relu` [8, 8, 5] -> `mean` [5], as the graph of a GraphModel. @param side -1: any. */
export const graphBaseInMemory = (side = SIDE): EditableBase => {
  const dims = [-1, side, side, 3].map((size) => ({ size: String(size) }))
  const node = [
    {
      name: 'image',
      op: 'Placeholder',
      attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim: dims } } },
    },
    constant('kernel', 'DT_FLOAT', [3, 3, 3, FILTERS]),
    constant('bias', 'DT_FLOAT', [FILTERS]),
    constant('axes', 'DT_INT32', [2]),
    {
      name: 'conv',
      op: 'Conv2D',
      input: ['image', 'kernel'],
      attr: {
        ...attribute,
        strides: ints(1, 1, 1, 1),
        dilations: ints(1, 1, 1, 1),
        padding: { s: Buffer.from('SAME').toString('base64') },
      },
    },
    { name: 'biased', op: 'BiasAdd', input: ['conv', 'bias'], attr: attribute },
    { name: 'relu', op: 'Relu', input: ['biased'], attr: { T: attribute.T } },
    {
      name: 'mean',
      op: 'Mean',
      input: ['relu', 'axes'],
      attr: { T: attribute.T, Tidx: { type: 'DT_INT32' }, keep_dims: { b: false } },
    },
  ]
  const values = Float32Array.from({ length: 27 * FILTERS + FILTERS }, (_, i) => Math.sin(i * 1.3))
  return {
    model: {
      format: 'graph-model',
      modelTopology: { node, library: {}, versions: { producer: 1 } },
      weightsManifest: [
        {
          paths: ['group1-shard1of1.bin'],
          weights: [
            { name: 'kernel', shape: [3, 3, 3, FILTERS], dtype: 'float32' },
            { name: 'bias', shape: [FILTERS], dtype: 'float32' },
            { name: 'axes', shape: [2], dtype: 'int32' },
          ],
        },
      ],
    },
    weights: Buffer.concat([Buffer.from(values.buffer), Buffer.from(Int32Array.of(1, 2).buffer)]),
  }
}
