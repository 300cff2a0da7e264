// Owns the check of weight bytes: exact length and finite values, before any engine sees them.
import { HeadstartError } from '../../errors.js'
import { bytesOf, type ModelJson, type WeightSpec } from './model-json.js'

const allFinite = (values: Float32Array): boolean => {
  for (let i = 0; i < values.length; i += 1) if (!Number.isFinite(values[i])) return false
  return true
}

const allFiniteHalf = (values: Uint16Array): boolean => {
  for (let i = 0; i < values.length; i += 1)
    if (((values[i] as number) & 0x7c00) === 0x7c00) return false
  return true
}

const hasFiniteValues = (spec: WeightSpec, bytes: Uint8Array): boolean => {
  const { quantization } = spec
  if (quantization !== undefined && quantization.dtype !== 'float16') {
    const { scale = 1, min = 0, dtype } = quantization
    const largest = dtype === 'uint8' ? 0xff : 0xffff
    return Number.isFinite(Math.fround(min)) && Number.isFinite(Math.fround(largest * scale + min))
  }
  // A copy, because a weight may start at any offset and views need alignment.
  const buffer = new Uint8Array(bytes).buffer
  if (quantization?.dtype === 'float16') return allFiniteHalf(new Uint16Array(buffer))
  return spec.dtype === 'int32' || spec.dtype === 'bool' || allFinite(new Float32Array(buffer))
}

/**
 * Joins the weight files in manifest order, as TF.js expects them.
 *
 * @returns the bytes in shared memory, so that every engine thread reads the same copy.
 * @throws BASE_WEIGHTS_INVALID for a wrong length or a value that is not finite.
 */
export const joinWeights = (
  model: ModelJson,
  files: ReadonlyMap<string, Uint8Array>,
): Uint8Array<SharedArrayBuffer> => {
  const parts: Uint8Array[] = []
  for (const group of model.groups) {
    const expected = group.weights.reduce((sum, spec) => sum + bytesOf(spec), 0)
    const groupParts = group.paths.map((path) => files.get(path) ?? new Uint8Array(0))
    const found = groupParts.reduce((sum, part) => sum + part.length, 0)
    if (found !== expected)
      throw new HeadstartError(
        'BASE_WEIGHTS_INVALID',
        `${group.paths.join(', ')}: ${found} bytes found, ${expected} expected`,
      )
    parts.push(...groupParts)
  }
  // Allocated after the check: a model.json may claim gigabytes that no file holds.
  const total = parts.reduce((sum, part) => sum + part.length, 0)
  const joined = new Uint8Array(new SharedArrayBuffer(total))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  offset = 0
  for (const spec of model.groups.flatMap((group) => group.weights)) {
    const bytes = bytesOf(spec)
    if (!hasFiniteValues(spec, joined.subarray(offset, offset + bytes)))
      throw new HeadstartError(
        'BASE_WEIGHTS_INVALID',
        `the weight ${spec.name} has values that are not finite`,
      )
    offset += bytes
  }
  return joined
}
