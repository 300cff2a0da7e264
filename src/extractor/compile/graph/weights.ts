// Owns the weights of a GraphModel by name, dequantised as TF.js does it: the same values, bit by bit.
import { HeadstartError } from '../../../errors.js'
import type { TfjsBase } from '../../base/loaded-base.js'
import { bytesOf, type WeightSpec } from '../../base/model-json.js'
import { fixed } from './dimension.js'
import type { Value } from './value.js'

/** Whole numbers in a graph are shapes, axes and indices; longer lists have no such use. */
const MAX_INTEGERS = 4096

const halfToFloat = (half: number): number => {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** From one stored value to its value before it is rounded to the type of the weight. */
const dequantise = ({ name, dtype, quantization }: WeightSpec): ((stored: number) => number) => {
  if (quantization === undefined) return (stored) => stored
  if (quantization.dtype === 'float16') return halfToFloat
  const { scale, min } = quantization
  if (scale === undefined || min === undefined)
    throw new HeadstartError('BASE_INVALID', `the weight ${name} has no scale or no minimum`)
  return dtype === 'int32'
    ? (stored) => Math.round(stored * scale + min)
    : (stored) => stored * scale + min
}

const storedValues = (
  { dtype, quantization }: WeightSpec,
  bytes: Uint8Array,
): Float32Array | Int32Array | Uint8Array | Uint16Array => {
  // A copy, because a weight may start at any offset and views need alignment.
  const { buffer } = new Uint8Array(bytes)
  if (quantization?.dtype === 'uint8') return new Uint8Array(buffer)
  if (quantization !== undefined) return new Uint16Array(buffer)
  return dtype === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer)
}

const weightOf = (spec: WeightSpec, bytes: Uint8Array): Value => {
  const { name, shape, dtype, quantization } = spec
  if (dtype === 'float32') {
    const data = (): Float32Array => {
      const stored = storedValues(spec, bytes)
      return quantization === undefined
        ? (stored as Float32Array)
        : Float32Array.from(stored, dequantise(spec))
    }
    return { kind: 'constant', name, shape, dims: shape.map(fixed), data }
  }
  const count = shape.reduce((a, b) => a * b, 1)
  if (dtype !== 'int32' || quantization?.dtype === 'float16' || count > MAX_INTEGERS)
    return { kind: 'opaque' }
  const values = Array.from(storedValues(spec, bytes), dequantise(spec))
  return { kind: 'integers', shape, values: values.map(fixed) }
}

/**
 * What each weight is as a value. Float data is read when it is asked for.
 *
 * @throws BASE_INVALID for a weight whose quantisation is incomplete.
 */
export const readWeights = ({ weightSpecs, weights }: TfjsBase): ReadonlyMap<string, Value> => {
  const values = new Map<string, Value>()
  let offset = 0
  for (const spec of weightSpecs) {
    const end = offset + bytesOf(spec)
    values.set(spec.name, weightOf(spec, weights.subarray(offset, end)))
    offset = end
  }
  return values
}
