// Owns a LayersModel as a plain TF.js folder (model.json and weight files) and opening it again the
// way anyone would: `tf.loadLayersModel` on the bytes of the files.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { io } from '@tensorflow/tfjs-core'
import { type LayersModel, loadLayersModel, type SymbolicTensor } from '@tensorflow/tfjs-layers'
import { parseModelJson } from '../extractor/base/model-json.js'
import { readBaseSource } from '../extractor/base/read-source.js'
import { VERSION } from '../version.js'
import { ensureHeadBackend } from './backend.js'
import { predictBatch } from './predict-head.js'
import type { HeadArtifacts } from './types.js'

const MODEL_JSON = 'model.json'

/** Small enough for hosts and caches that bound the size of one file. */
export const MAX_WEIGHT_FILE_BYTES = 64 * 2 ** 20

/** The weight bytes cut into files of a model folder. */
const planWeightFiles = (
  weights: Uint8Array,
  maxFileBytes: number,
): { readonly path: string; readonly content: Uint8Array }[] => {
  const count = Math.max(1, Math.ceil(weights.length / maxFileBytes))
  return Array.from({ length: count }, (_, index) => ({
    path: count === 1 ? 'weights.bin' : `weights-${index + 1}of${count}.bin`,
    content: weights.subarray(index * maxFileBytes, (index + 1) * maxFileBytes),
  }))
}

/**
 * Writes `model.json` and its weight files into a folder, which is made where it is missing.
 *
 * @returns the names of the files.
 */
export const saveModelFolder = async (
  folder: string,
  { topology, weightSpecs, weights }: HeadArtifacts,
  options: { readonly maxFileBytes?: number } = {},
): Promise<string[]> => {
  const files = planWeightFiles(weights, options.maxFileBytes ?? MAX_WEIGHT_FILE_BYTES)
  const paths = files.map(({ path }) => path)
  const modelJson = {
    format: 'layers-model',
    generatedBy: `headstart ${VERSION}`,
    convertedBy: null,
    modelTopology: topology,
    weightsManifest: [{ paths, weights: weightSpecs }],
  }
  await mkdir(folder, { recursive: true })
  for (const { path, content } of files) await writeFile(join(folder, path), content)
  await writeFile(join(folder, MODEL_JSON), `${JSON.stringify(modelJson)}\n`)
  return [MODEL_JSON, ...paths]
}

/** The artifacts in a model folder, as the IOHandlers of TF.js make them. */
const readModelFolder = async (folder: string): Promise<io.ModelArtifacts> => {
  const { files } = await readBaseSource(folder)
  const model = parseModelJson(files.get(MODEL_JSON) ?? new Uint8Array(0))
  const parts = model.groups.flatMap(({ paths }) => paths.map((path) => files.get(path)))
  const joined = new Uint8Array(Buffer.concat(parts.filter((part) => part !== undefined)))
  return {
    format: 'layers-model',
    modelTopology: model.topology as io.ModelJSON['modelTopology'],
    weightSpecs: model.groups.flatMap(({ weights }) => weights) as io.WeightsManifestEntry[],
    weightData: joined.buffer,
  }
}

export interface OpenedModel {
  /** Shape of one input. */
  readonly inputShape: readonly number[]
  /**
   * @param values [rows, ...inputShape] row-major; borrowed.
   * @returns [rows, outputs].
   */
  predict(values: Float32Array, rows: number): Float32Array
  /** Frees all tensors. */
  close(): void
}

/**
 * Loads the model of a folder with plain `tf.loadLayersModel`. The caller closes it.
 *
 * @throws BASE_INVALID, BASE_WEIGHTS_INVALID, INPUT_MISSING for the files, and what TF.js throws.
 */
export const openModelFolder = async (folder: string): Promise<OpenedModel> => {
  await ensureHeadBackend()
  const artifacts = await readModelFolder(folder)
  const model: LayersModel = await loadLayersModel(io.fromMemory(artifacts))
  const inputShape = (model.inputs[0] as SymbolicTensor).shape.slice(1) as number[]
  return {
    inputShape,
    predict: (values, rows) => predictBatch(model, inputShape, values, rows),
    close: () => {
      // Not model.dispose: it counts uses and keeps the weights of shared layers.
      for (const weight of new Set(model.weights)) weight.dispose()
    },
  }
}
