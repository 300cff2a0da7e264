// Owns the parse of a TF.js model.json: untrusted JSON to a typed description with safe paths.
import { z } from 'zod'
import { HeadstartError } from '../../errors.js'
import type { TfjsFormat } from '../spec.js'
import { MAX_MODEL_JSON_BYTES, MAX_PARAMETERS, MAX_WEIGHT_FILES } from './limits.js'

/** Bytes of one stored value. Strings have no fixed length and are refused. */
const DTYPE_BYTES = {
  float32: 4,
  int32: 4,
  bool: 1,
  complex64: 8,
  uint8: 1,
  uint16: 2,
  float16: 2,
} as const

const weightSpecSchema = z.object({
  name: z.string().min(1),
  shape: z.array(z.int().nonnegative()),
  dtype: z.enum(['float32', 'int32', 'bool', 'complex64']),
  quantization: z
    .object({
      dtype: z.enum(['uint8', 'uint16', 'float16']),
      scale: z.number().optional(),
      min: z.number().optional(),
    })
    .optional(),
})
export type WeightSpec = z.infer<typeof weightSpecSchema>

// Unknown keys are kept out of the result but not refused: every converter adds its own.
const modelJsonSchema = z.object({
  format: z.string().optional(),
  modelTopology: z.record(z.string(), z.json()),
  signature: z.json().optional(),
  weightsManifest: z.array(
    z.object({ paths: z.array(z.string().min(1)), weights: z.array(weightSpecSchema) }),
  ),
})

export interface WeightGroup {
  /** Relative POSIX paths below the folder of model.json. */
  readonly paths: readonly string[]
  readonly weights: readonly WeightSpec[]
}

export interface ModelJson {
  readonly format: TfjsFormat
  readonly topology: z.infer<typeof modelJsonSchema>['modelTopology']
  readonly signature: z.infer<typeof modelJsonSchema>['signature']
  readonly groups: readonly WeightGroup[]
  readonly parameters: number
}

const valuesOf = (spec: WeightSpec): number => spec.shape.reduce((a, b) => a * b, 1)

/** Bytes that a weight takes in its file. */
export const bytesOf = (spec: WeightSpec): number =>
  valuesOf(spec) * DTYPE_BYTES[spec.quantization?.dtype ?? spec.dtype]

/** @throws BASE_PATH_UNSAFE unless the path is relative, plain and stays below its folder. */
export const assertSafePath = (path: string): void => {
  const segments = path.split('/')
  const bad =
    /[\\\0:?#%]/.test(path) ||
    segments.some((segment) => segment === '' || segment === '.' || segment === '..')
  if (bad)
    throw new HeadstartError(
      'BASE_PATH_UNSAFE',
      `the model names the weight file ${JSON.stringify(path)}, which is no plain path below its folder`,
    )
}

const formatOf = (parsed: z.infer<typeof modelJsonSchema>): ModelJson['format'] => {
  if (parsed.format === 'layers-model' || parsed.format === 'graph-model') return parsed.format
  if (parsed.format !== undefined)
    throw new HeadstartError('BASE_INVALID', `the format ${parsed.format} is not supported`)
  return 'node' in parsed.modelTopology ? 'graph-model' : 'layers-model'
}

const parseJson = (bytes: Uint8Array) => {
  try {
    return modelJsonSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (error) {
    // A RangeError: nested so deep that reading it exhausts the stack.
    const what = error instanceof RangeError ? 'is nested too deep' : 'is not JSON'
    throw new HeadstartError('BASE_INVALID', `model.json ${what}`, { cause: error })
  }
}

/**
 * @throws BASE_INVALID, BASE_PATH_UNSAFE, BASE_TOO_LARGE.
 */
export const parseModelJson = (bytes: Uint8Array): ModelJson => {
  if (bytes.length > MAX_MODEL_JSON_BYTES)
    throw new HeadstartError('BASE_TOO_LARGE', `model.json has ${bytes.length} bytes`)
  const result = parseJson(bytes)
  if (!result.success)
    throw new HeadstartError('BASE_INVALID', 'model.json is no TF.js model', {
      details: result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    })
  const parsed = result.data
  const paths = parsed.weightsManifest.flatMap((group) => group.paths)
  for (const path of paths) assertSafePath(path)
  if (paths.length > MAX_WEIGHT_FILES || new Set(paths).size !== paths.length)
    throw new HeadstartError('BASE_INVALID', 'weightsManifest repeats a path or has too many')
  const parameters = parsed.weightsManifest
    .flatMap((group) => group.weights)
    .reduce((sum, spec) => sum + valuesOf(spec), 0)
  if (parameters > MAX_PARAMETERS)
    throw new HeadstartError(
      'BASE_TOO_LARGE',
      `the base has ${parameters} parameters; the limit is ${MAX_PARAMETERS}`,
    )
  return {
    format: formatOf(parsed),
    topology: parsed.modelTopology,
    signature: parsed.signature,
    groups: parsed.weightsManifest,
    parameters,
  }
}
