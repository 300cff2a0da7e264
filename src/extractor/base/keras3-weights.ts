// Owns the weights of layers that the translation of Keras 3 writes as other layers. Values stay as they
// are; names change, and what the other layer has no use for is left out.
import { HeadstartError } from '../../errors.js'
import { isKeras3 } from './keras3.js'
import { isObject, type Json } from './keras3-json.js'
import { bytesOf, type WeightSpec } from './model-json.js'

export interface Weights {
  readonly specs: readonly WeightSpec[]
  readonly bytes: Uint8Array
}

/** Normalization is written as a BatchNormalization. */
const RENAMED: Readonly<Record<string, string>> = {
  mean: 'moving_mean',
  variance: 'moving_variance',
}
const LEFT_OUT = 'count'

function* normalizationNames(value: Json): Generator<string> {
  if (Array.isArray(value)) for (const item of value) yield* normalizationNames(item)
  if (!isObject(value)) return
  const { class_name: className, config } = value
  if (className === 'Normalization' && isObject(config) && config.mean == null)
    yield String(config.name)
  for (const member of Object.values(value)) yield* normalizationNames(member)
}

/** Keras divides by 1e-7 where a variance is less than its square; a BatchNormalization would not. */
const assertVariance = (name: string, bytes: Uint8Array): void => {
  for (const value of new Float32Array(new Uint8Array(bytes).buffer))
    if (!(value > 1e-14))
      throw new HeadstartError('BASE_WEIGHTS_INVALID', `the weight ${name} has a variance of zero`)
}

/**
 * @returns what was given, where the topology has no layer whose weights change.
 * @throws BASE_WEIGHTS_INVALID
 */
export const toKeras2Weights = (topology: unknown, weights: Weights): Weights => {
  const names = new Set(isKeras3(topology) ? normalizationNames(topology) : [])
  if (names.size === 0) return weights
  const specs: WeightSpec[] = []
  const parts: Uint8Array[] = []
  let offset = 0
  for (const spec of weights.specs) {
    const bytes = weights.bytes.subarray(offset, offset + bytesOf(spec))
    offset += bytes.length
    const path = spec.name.split('/')
    const last = path.at(-1) ?? ''
    const isNormalization = names.has(path.at(-2) ?? '')
    if (isNormalization && last === LEFT_OUT) continue
    if (isNormalization && last === 'variance' && spec.quantization === undefined)
      assertVariance(spec.name, bytes)
    const renamed = isNormalization && Object.hasOwn(RENAMED, last) ? RENAMED[last] : undefined
    specs.push(
      renamed === undefined ? spec : { ...spec, name: [...path.slice(0, -1), renamed].join('/') },
    )
    parts.push(bytes)
  }
  return { specs, bytes: Buffer.concat(parts) }
}
