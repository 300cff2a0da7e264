// Owns the way from the files of a base to the base in memory and to its id.
import { HeadstartError } from '../../errors.js'
import { canonicalJson, type JsonValue } from '../../identity/canonical-json.js'
import { sha256 } from '../../identity/hash.js'
import type { BaseFormat } from '../spec.js'
import type { LoadedBase, TfjsBase } from './loaded-base.js'
import { type ModelJson, parseModelJson } from './model-json.js'
import { assembleOnnxBase } from './onnx-source.js'
import { MODEL_JSON } from './read-source.js'
import { assembleSavedModel } from './saved-model-source.js'
import { joinWeights } from './weights.js'

type Files = ReadonlyMap<string, Uint8Array>

/**
 * Puts a TF.js base together from its files; its id covers the canonical topology and the weight bytes.
 *
 * @throws BASE_INVALID, BASE_WEIGHTS_INVALID.
 */
export const assembleTfjsBase = (model: ModelJson, files: Files): TfjsBase => {
  const weights = joinWeights(model, files)
  const weightSpecs = model.groups.flatMap((group) => group.weights)
  const { format, topology, signature } = model
  const described = { format, topology, signature: signature ?? null, weightSpecs }
  try {
    const baseId = sha256(canonicalJson(described as unknown as JsonValue), '\n', weights)
    return { baseId, format, topology, signature, weightSpecs, weights }
  } catch (error) {
    throw new HeadstartError('BASE_INVALID', 'model.json holds no plain JSON', { cause: error })
  }
}

/** @throws the errors of the format's own function. */
export const assembleBase = (format: BaseFormat, files: Files): LoadedBase => {
  if (format === 'onnx') return assembleOnnxBase(files)
  if (format === 'saved-model') return assembleSavedModel(files)
  return assembleTfjsBase(parseModelJson(files.get(MODEL_JSON) ?? new Uint8Array(0)), files)
}
