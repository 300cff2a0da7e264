// Owns an ONNX base: its files to one model in memory, data of external files brought inside.
import { HeadstartError } from '../../errors.js'
import { canonicalJson } from '../../identity/canonical-json.js'
import { type Sha256, sha256 } from '../../identity/hash.js'
import { withExternalData } from '../onnx/external-data.js'
import { parseOnnxModel, serialiseOnnxModel } from '../onnx/model.js'
import type { OnnxBase } from './loaded-base.js'
import { sharedCopy } from './shared-copy.js'

/** The name under which the model is kept, whatever it was called. */
export const MODEL_ONNX = 'model.onnx'

type Files = ReadonlyMap<string, Uint8Array>

/** Of one file its hash, so that whoever has the file can check it; of several one over all in order. */
const idOf = (model: Uint8Array, files: Files): Sha256 => {
  if (files.size === 1) return sha256(model)
  const paths = [MODEL_ONNX, ...[...files.keys()].filter((path) => path !== MODEL_ONNX).sort()]
  const described = paths.map((path) => ({ path, sha256: sha256(files.get(path) as Uint8Array) }))
  return sha256(canonicalJson({ format: 'onnx', files: described }))
}

/**
 * @param files `model.onnx` and the files that it names, by the paths that it names them by.
 * @throws BASE_INVALID, BASE_WEIGHTS_INVALID, BASE_PATH_UNSAFE, BASE_TOO_LARGE.
 */
export const assembleOnnxBase = (files: Files): OnnxBase => {
  const bytes = files.get(MODEL_ONNX)
  if (bytes === undefined) throw new HeadstartError('BASE_INVALID', `${MODEL_ONNX} is missing`)
  const whole =
    files.size === 1 ? bytes : serialiseOnnxModel(withExternalData(parseOnnxModel(bytes), files))
  return { baseId: idOf(bytes, files), format: 'onnx', origin: 'file', model: sharedCopy(whole) }
}
