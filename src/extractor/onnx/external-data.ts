// Owns weights that an ONNX file keeps in other files: which files, and bringing their bytes inside.
// Refuses paths that leave the folder, and ranges that a file does not have.
import { HeadstartError } from '../../errors.js'
import { MAX_WEIGHT_BYTES, MAX_WEIGHT_FILES } from '../base/limits.js'
import { assertSafePath } from '../base/model-json.js'
import { changed, type OnnxModel } from './model.js'
import { graphsIn } from './names.js'
import { TensorProto_DataLocation as DataLocation, type TensorProto } from './onnx_pb.js'
import { rawBytesOf } from './tensor-values.js'
import { mapTensors, tensorsOf } from './tensors.js'

type Files = ReadonlyMap<string, Uint8Array>

const isExternal = ({ dataLocation, externalData }: TensorProto): boolean =>
  dataLocation === DataLocation.EXTERNAL || externalData.length > 0

const invalid = ({ name }: TensorProto, what: string): HeadstartError =>
  new HeadstartError('BASE_WEIGHTS_INVALID', `the weight ${JSON.stringify(name)} ${what}`)

const entryOf = ({ externalData }: TensorProto, key: string): string | undefined =>
  externalData.find((entry) => entry.key === key)?.value

const locationOf = (tensor: TensorProto): string => {
  const location = entryOf(tensor, 'location')
  if (location === undefined) throw invalid(tensor, 'lies in a file that the model does not name')
  assertSafePath(location)
  return location
}

/**
 * Paths of all files that weights lie in, relative to the model, each once.
 *
 * @throws BASE_PATH_UNSAFE, BASE_WEIGHTS_INVALID, BASE_INVALID.
 */
export const externalPathsOf = (model: OnnxModel): string[] => {
  const paths = new Set<string>()
  for (const graph of graphsIn(model.graph))
    for (const tensor of tensorsOf(graph)) if (isExternal(tensor)) paths.add(locationOf(tensor))
  if (paths.size > MAX_WEIGHT_FILES)
    throw new HeadstartError('BASE_INVALID', `the model names ${paths.size} weight files`)
  return [...paths]
}

/** Decimal, as the format keeps numbers in text. */
const numberIn = (tensor: TensorProto, key: 'offset' | 'length'): number | undefined => {
  const text = entryOf(tensor, key)
  if (text === undefined) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw invalid(tensor, `has the ${key} ${JSON.stringify(text)}`)
  return value
}

const broughtInside = (tensor: TensorProto, files: Files): TensorProto => {
  const path = locationOf(tensor)
  const file = files.get(path)
  if (file === undefined) throw invalid(tensor, `lies in ${path}, which is missing`)
  const offset = numberIn(tensor, 'offset') ?? 0
  const expected = rawBytesOf(tensor)
  const length = numberIn(tensor, 'length') ?? expected ?? file.length - offset
  if (offset + length > file.length)
    throw invalid(tensor, `ends at byte ${offset + length} of ${path}, which has ${file.length}`)
  if (expected !== null && length !== expected)
    throw invalid(tensor, `has ${length} bytes in ${path}, ${expected} expected`)
  const rawData = file.subarray(offset, offset + length)
  return changed(tensor, { rawData, externalData: [], dataLocation: DataLocation.DEFAULT })
}

/**
 * The model with all weights inside. Their bytes are views of the files.
 *
 * @throws BASE_PATH_UNSAFE, BASE_WEIGHTS_INVALID; BASE_TOO_LARGE where weights that share bytes would
 *   make more of them than a base may have.
 */
export const withExternalData = (model: OnnxModel, files: Files): OnnxModel => {
  let total = 0
  return mapTensors(model, (tensor) => {
    const inside = isExternal(tensor) ? broughtInside(tensor, files) : tensor
    total += inside.rawData.length
    if (total > MAX_WEIGHT_BYTES)
      throw new HeadstartError(
        'BASE_TOO_LARGE',
        `the weights have more than ${MAX_WEIGHT_BYTES} bytes`,
      )
    return inside
  })
}
