// Owns small GraphModels made in a test: nodes as the converter writes them, weights, and both ways to
// run them: TF.js itself, and onnxruntime on the compiled bytes.
import '@tensorflow/tfjs-backend-cpu'
import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import * as onnxruntime from 'onnxruntime-node'
import { expect } from 'vitest'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { parseModelJson } from '../../src/extractor/base/model-json.js'
import type { CompiledGraph } from '../../src/extractor/compile/compiled-graph.js'
import { compileGraphModel } from '../../src/extractor/compile/graph-model.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import { loadTfjsModel } from '../../src/extractor/engines/tfjs.js'
import { listGraphCuts } from '../../src/extractor/engines/tfjs-graph.js'
import { openWasm } from '../../src/extractor/engines/wasm.js'
import { cutGraph } from '../../src/extractor/onnx/cut.js'
import { parseOnnxModel, serialiseOnnxModel } from '../../src/extractor/onnx/model.js'

/** Attributes as the converter writes them: text in base64, whole numbers as text. */
export const attr = {
  int: (value: number) => ({ i: String(value) }),
  ints: (...values: number[]) => ({ list: { i: values.map(String) } }),
  float: (value: number) => ({ f: value }),
  bool: (value: boolean) => ({ b: value }),
  text: (value: string) => ({ s: Buffer.from(value).toString('base64') }),
  texts: (...values: string[]) => ({
    list: { s: values.map((value) => Buffer.from(value).toString('base64')) },
  }),
  type: (value: string) => ({ type: value }),
}

export interface NodeJson {
  name: string
  op: string
  input?: string[]
  attr?: Record<string, unknown>
}

export interface WeightJson {
  shape: number[]
  /** Made up where there are none. */
  values?: readonly number[]
  dtype?: 'float32' | 'int32' | 'bool'
  quantization?: { dtype: 'uint8' | 'uint16' | 'float16'; scale?: number; min?: number }
}

export interface GraphJson {
  /** Of the placeholder `x`; -1 for a size that is left open. */
  input: readonly number[]
  weights?: Record<string, WeightJson>
  nodes: readonly NodeJson[]
  signature?: unknown
}

/** int32 list, or a single number. */
export const ints = (...values: number[]): WeightJson => ({
  shape: [values.length],
  values,
  dtype: 'int32',
})
export const int = (value: number): WeightJson => ({ shape: [], values: [value], dtype: 'int32' })

/** Values between -1 and 1 that look like noise and are the same in each run. */
export const noise = (count: number, seed = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => {
    const n = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453
    return (n - Math.floor(n)) * 2 - 1
  })

export const sizeOfShape = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

const bytesOfWeight = (
  { shape, values, dtype, quantization }: WeightJson,
  seed: number,
): Buffer => {
  const count = sizeOfShape(shape)
  const list = values ?? noise(count, seed)
  const typed =
    quantization?.dtype === 'uint8' || dtype === 'bool'
      ? Uint8Array.from(list)
      : quantization !== undefined
        ? Uint16Array.from(list)
        : dtype === 'int32'
          ? Int32Array.from(list)
          : Float32Array.from(list)
  return Buffer.from(typed.buffer)
}

const DTYPES = { float32: 'DT_FLOAT', int32: 'DT_INT32', bool: 'DT_BOOL' } as const

const dims = (shape: readonly number[]) => shape.map((size) => ({ size: String(size) }))

/** Through the parser and the checks that a base from a folder goes through. */
export const graphBase = ({ input, weights = {}, nodes, signature }: GraphJson): TfjsBase => {
  const entries = Object.entries(weights)
  const constants = entries.map(([name, { shape, dtype = 'float32' }]) => ({
    name,
    op: 'Const',
    attr: {
      dtype: { type: DTYPES[dtype] },
      value: { tensor: { dtype: DTYPES[dtype], tensorShape: { dim: dims(shape) } } },
    },
  }))
  const placeholder = {
    name: 'x',
    op: 'Placeholder',
    attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim: dims(input) } } },
  }
  const model = {
    format: 'graph-model',
    modelTopology: {
      node: [placeholder, ...constants, ...nodes],
      library: {},
      versions: { producer: 1 },
    },
    ...(signature === undefined ? {} : { signature }),
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: entries.map(([name, { shape, dtype = 'float32', quantization }]) => ({
          name,
          shape,
          dtype,
          ...(quantization === undefined ? {} : { quantization }),
        })),
      },
    ],
  }
  const bytes = Buffer.concat(entries.map(([, weight], i) => bytesOfWeight(weight, i + 2)))
  const parsed = parseModelJson(Buffer.from(JSON.stringify(model)))
  return assembleTfjsBase(parsed, new Map([['weights.bin', bytes]]))
}

export interface Answer {
  readonly values: Float32Array
  readonly shape: readonly number[]
}

const TFJS = { core, layers, converter }

/** Makes a backend of TF.js current. */
export const useBackend = async (backend: 'cpu' | 'wasm'): Promise<void> => {
  if (backend === 'wasm') await openWasm(DEFAULT_ENGINE_SETTINGS)
  else await core.setBackend(backend)
  await core.ready()
}

const loadGraph = async (base: TfjsBase): Promise<converter.GraphModel> => {
  const loaded = await loadTfjsModel(TFJS, base)
  if (loaded.format !== 'graph-model') throw new Error('no GraphModel')
  return loaded.model
}

/** What TF.js gives at each cut. */
export const runTfjs = async (
  base: TfjsBase,
  cuts: readonly string[],
  x: Float32Array,
  shape: readonly number[],
): Promise<Answer[]> => {
  const model = await loadGraph(base)
  const before = core.memory().numTensors
  const tensor = core.tensor(x, [...shape])
  const result = model.execute({ [model.inputs[0]?.name ?? '']: tensor }, [...cuts])
  const tensors = Array.isArray(result) ? result : [result]
  const answers = tensors.map((output) => ({
    values: output.dataSync() as Float32Array,
    shape: output.shape,
  }))
  core.dispose([tensor, ...tensors])
  expect(core.memory().numTensors).toBe(before)
  model.dispose()
  return answers
}

/** What inspecting the base takes for its cuts. */
export const cutsOfTfjs = async (base: TfjsBase): Promise<string[]> => {
  const model = await loadGraph(base)
  const { cuts } = await listGraphCuts(TFJS, model)
  model.dispose()
  return cuts.map(({ path }) => path)
}

/** What onnxruntime gives at one cut of the compiled bytes; the graph is cut as engines do it. */
export const runOnnx = async (
  { bytes }: Pick<CompiledGraph, 'bytes'>,
  cut: string,
  x: Float32Array,
  shape: readonly number[],
): Promise<Answer> => {
  const session = await onnxruntime.InferenceSession.create(
    serialiseOnnxModel(cutGraph(parseOnnxModel(bytes), cut)),
    { intraOpNumThreads: 1, interOpNumThreads: 1 },
  )
  try {
    const input = new onnxruntime.Tensor('float32', x, shape)
    const output = (await session.run({ input }))[cut]
    if (output === undefined) throw new Error(`no output ${cut}`)
    return { values: output.data as Float32Array, shape: output.dims }
  } finally {
    await session.release()
  }
}

/** max |a - b| / max(1, max |b|); infinite where one is not finite and the other is. */
export const distanceOf = (a: Float32Array, b: Float32Array): number => {
  let [distance, largest] = [0, 1]
  b.forEach((reference, i) => {
    const value = a[i] ?? Number.NaN
    if (Object.is(value, reference)) return
    const difference = Math.abs(value - reference)
    distance = Math.max(distance, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference)
    largest = Math.max(largest, Math.abs(reference))
  })
  return distance / largest
}

export const TOLERANCE = 1e-5

export interface Comparison {
  readonly compiled: CompiledGraph
  readonly answers: readonly Answer[]
}

/** Compiles, and asserts that onnxruntime gives at every cut what TF.js gives, in shape and values. */
export const expectSameAsTfjs = async (
  base: TfjsBase,
  x: Float32Array,
  shape: readonly number[],
  tolerance = TOLERANCE,
): Promise<Comparison> => {
  const compiled = await compileGraphModel(base)
  const references = await runTfjs(base, compiled.cuts, x, shape)
  const answers: Answer[] = []
  for (const [i, cut] of compiled.cuts.entries()) {
    const reference = references[i] as Answer
    const answer = await runOnnx(compiled, cut, x, shape)
    expect([cut, ...answer.shape]).toEqual([cut, ...reference.shape])
    expect(distanceOf(answer.values, reference.values), cut).toBeLessThanOrEqual(tolerance)
    answers.push(answer)
  }
  return { compiled, answers }
}
