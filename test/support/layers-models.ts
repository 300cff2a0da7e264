// Owns small LayersModels made in a test, and the comparison of both ways to run them: TF.js itself,
// and onnxruntime on the compiled bytes.
import '@tensorflow/tfjs-backend-cpu'
import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as tfl from '@tensorflow/tfjs-layers'
import { expect } from 'vitest'
import { assembleBase } from '../../src/extractor/base/assemble.js'
import { readBaseSource } from '../../src/extractor/base/read-source.js'
import type { CompiledGraph } from '../../src/extractor/compile/compiled-graph.js'
import { compileLayersModel } from '../../src/extractor/compile/layers-model.js'
import { loadTfjsModel } from '../../src/extractor/engines/tfjs.js'
import { cutLayersModel, listLayerCuts } from '../../src/extractor/engines/tfjs-cut.js'
import { type Answer, distanceOf, noise, runOnnx, sizeOfShape, TOLERANCE } from './graph-models.js'

export const TFJS = { core, layers: tfl, converter }

export type Layer = tfl.LayersModel['layers'][number]
export type Size = readonly (number | null)[]

const range = (name: string): readonly [number, number] => {
  if (/variance$/.test(name)) return [0.4, 1.6]
  return /gamma$/.test(name) ? [0.5, 1.5] : [-0.7, 0.7]
}

/** Values for every weight, none at what it starts with. */
export const fillWeights = (model: tfl.LayersModel): tfl.LayersModel => {
  for (const [seed, weight] of [...new Set(model.weights)].entries()) {
    const [low, high] = range(weight.originalName)
    const shape = weight.shape as number[]
    const values = noise(sizeOfShape(shape), seed + 3).map(
      (v) => low + ((v + 1) / 2) * (high - low),
    )
    const tensor = core.tensor(values, shape)
    weight.write(tensor)
    tensor.dispose()
  }
  return model
}

/** One input of this size (without the batch) through a chain of layers. */
export const chainOf = (size: Size, ...chain: readonly Layer[]): tfl.LayersModel => {
  const inputs = tfl.input({ batchShape: [null, ...size] })
  const outputs = chain.reduce((x, layer) => layer.apply(x) as tfl.SymbolicTensor, inputs)
  return fillWeights(tfl.model({ inputs, outputs }))
}

/** What TF.js gives at a cut. */
export const predict = (
  model: tfl.LayersModel,
  cut: string,
  x: Float32Array,
  shape: readonly number[],
): Answer => {
  const input = core.tensor(x, [...shape])
  const output = cutLayersModel(TFJS, model, cut).predictOnBatch(input) as core.Tensor
  const answer = { values: output.dataSync() as Float32Array, shape: output.shape }
  core.dispose([input, output])
  return answer
}

/** Asserts that onnxruntime gives at the cut what TF.js gives, in shape and values. */
export const expectSameAt = async (
  { model, compiled }: { model: tfl.LayersModel; compiled: CompiledGraph },
  cut: string,
  input: { readonly x: Float32Array; readonly shape: readonly number[] },
  tolerance = TOLERANCE,
): Promise<Answer> => {
  const reference = predict(model, cut, input.x, input.shape)
  const answer = await runOnnx(compiled, cut, input.x, input.shape)
  expect([cut, ...answer.shape]).toEqual([cut, ...reference.shape])
  expect(distanceOf(answer.values, reference.values), cut).toBeLessThanOrEqual(tolerance)
  return answer
}

/**
 * Compiles, and asserts that everything compiled, that no tensor was left behind, and that
 * onnxruntime gives at every cut what TF.js gives. Frees the model.
 *
 * @param size of the input where the model leaves it open.
 * @returns what the last cut gives.
 */
export const expectSameAsTfjs = async (
  model: tfl.LayersModel,
  size: Size = [],
): Promise<{ compiled: CompiledGraph; last: Answer }> => {
  const open = model.inputs[0]?.shape.slice(1) ?? []
  const shape = [2, ...open.map((length, i) => length ?? size[i] ?? 1)]
  const input = { x: noise(sizeOfShape(shape)).map((v) => 3 * v), shape }
  const { numTensors } = core.memory()
  const compiled = await compileLayersModel(model)
  expect(core.memory().numTensors).toBe(numTensors)
  expect(compiled.unsupported).toEqual([])
  expect(compiled.cuts).toEqual(listLayerCuts(model).map(({ path }) => path))
  let last: Answer | undefined
  for (const cut of compiled.cuts) last = await expectSameAt({ model, compiled }, cut, input)
  for (const weight of new Set(model.weights)) weight.dispose()
  if (last === undefined) throw new Error('the model has no cut')
  return { compiled, last }
}

/** A base in a folder, read and loaded as an engine does it. The caller disposes it. */
export const loadFolder = async (folder: string): Promise<tfl.LayersModel> => {
  const { format, files } = await readBaseSource(folder)
  const base = assembleBase(format, files)
  if (base.format !== 'layers-model') throw new Error(`${folder} has no LayersModel`)
  const loaded = await loadTfjsModel(TFJS, base)
  if (loaded.format !== 'layers-model') throw new Error('no LayersModel')
  return loaded.model
}
