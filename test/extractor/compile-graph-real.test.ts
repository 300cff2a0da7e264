// A real GraphModel with real, quantised weights: a MobileNetV2 of 1,792 features.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as onnxruntime from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { prepareBase } from '../../examples/samples/prepare.mjs'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { parseModelJson } from '../../src/extractor/base/model-json.js'
import type { CompiledGraph } from '../../src/extractor/compile/compiled-graph.js'
import { compileGraphModel } from '../../src/extractor/compile/graph-model.js'
import { cutGraph } from '../../src/extractor/onnx/cut.js'
import { parseOnnxModel, serialiseOnnxModel } from '../../src/extractor/onnx/model.js'
import { makeFolder } from '../support/folders.js'
import { cutsOfTfjs, noise, runOnnx, runTfjs, useBackend } from '../support/graph-models.js'

const SIDE = 224
const WIDTH = SIDE * SIDE * 3
const MAX_RELATIVE_ERROR = 1e-4

const load = async (): Promise<TfjsBase> => {
  const folder = join(await makeFolder(), 'base')
  await prepareBase('mobilenet_v2_mid', folder)
  const model = parseModelJson(await readFile(join(folder, 'model.json')))
  const files = new Map<string, Uint8Array>()
  for (const path of model.groups.flatMap((group) => group.paths))
    files.set(path, await readFile(join(folder, path)))
  return assembleTfjsBase(model, files)
}

let base: TfjsBase
let compiled: CompiledGraph

const cutNamed = (end: string): string => {
  const cut = compiled.cuts.find((name) => name === end || name.endsWith(`/${end}`))
  if (cut === undefined) throw new Error(`no cut ${end}`)
  return cut
}

beforeAll(async () => {
  await useBackend('wasm')
  base = await load()
  compiled = await compileGraphModel(base)
})

describe('MobileNetV2 as a GraphModel', () => {
  it('compiles whole: its cuts are those that inspecting it finds', async () => {
    expect(compiled.unsupported).toEqual([])
    expect(new Set(compiled.cuts)).toEqual(new Set(await cutsOfTfjs(base)))
  })

  it('gives the features of TF.js at the first convolution, inside, and at its end', async () => {
    const cuts = [
      'hub_input/Sub',
      'Conv/Relu6',
      'expanded_conv_1/depthwise/depthwise',
      'expanded_conv_5/add',
      'Conv_1/Relu6',
      'feature_vector/SpatialSqueeze',
      'Identity',
    ].map(cutNamed)
    const x = noise(2 * WIDTH).map((value) => (value + 1) / 2)
    const references = await runTfjs(base, cuts, x, [2, SIDE, SIDE, 3])
    for (const [i, cut] of cuts.entries()) {
      const answer = await runOnnx(compiled, cut, x, [2, SIDE, SIDE, 3])
      const reference = references[i]
      expect(answer.shape).toEqual(reference?.shape)
      let [distance, largest] = [0, 0]
      reference?.values.forEach((value, at) => {
        distance = Math.max(distance, Math.abs((answer.values[at] ?? Number.NaN) - value))
        largest = Math.max(largest, Math.abs(value))
      })
      expect(largest).toBeGreaterThan(0)
      expect(distance / largest, cut).toBeLessThanOrEqual(MAX_RELATIVE_ERROR)
    }
  })

  it('gives the same bits for a sample alone and in a batch', async () => {
    const cut = cutNamed('feature_vector/SpatialSqueeze')
    const x = noise(3 * WIDTH)
    const together = await runOnnx(compiled, cut, x, [3, SIDE, SIDE, 3])
    const width = together.values.length / 3
    for (let row = 0; row < 3; row += 1) {
      const one = x.subarray(row * WIDTH, (row + 1) * WIDTH)
      const alone = await runOnnx(compiled, cut, one, [1, SIDE, SIDE, 3])
      expect(alone.values).toEqual(together.values.subarray(row * width, (row + 1) * width))
    }
  })

  it('has channels first between its convolutions: one Transpose is left, at the input', async () => {
    const cut = cutNamed('feature_vector/SpatialSqueeze')
    const optimized = join(await makeFolder(), 'optimized.onnx')
    const session = await onnxruntime.InferenceSession.create(
      serialiseOnnxModel(cutGraph(parseOnnxModel(compiled.bytes), cut)),
      { graphOptimizationLevel: 'extended', optimizedModelFilePath: optimized },
    )
    await session.release()
    const { node } = parseOnnxModel(await readFile(optimized)).graph
    expect(node.filter(({ opType }) => opType === 'Transpose')).toHaveLength(1)
  })
})
