// Owns the order of axes of weights: TF.js has spatial axes first, ONNX has output channels first.
import type { LayerCall, Weight } from './layer-call.js'

/** A copy with its axes permuted: axis i of the result is axis `perm[i]` of the weight. */
export const permuted = ({ data, shape }: Weight, perm: readonly number[]): Weight => {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis -= 1)
    strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number)
  const dims = perm.map((axis) => shape[axis] as number)
  const steps = perm.map((axis) => strides[axis] as number)
  const result = new Float32Array(data.length)
  let written = 0
  const copy = (axis: number, from: number): void => {
    const step = steps[axis] as number
    const end = from + (dims[axis] as number) * step
    if (axis === dims.length - 1)
      for (let at = from; at < end; at += step) {
        result[written] = data[at] as number
        written += 1
      }
    else for (let at = from; at < end; at += step) copy(axis + 1, at)
  }
  if (result.length > 0) copy(0, 0)
  return { data: result, shape: dims }
}

/** Writes a constant once for the layer and returns its name. */
export const constantOf = (call: LayerCall, key: string, make: () => Weight): string =>
  call.once(key, (hint) => {
    const { data, shape } = make()
    return call.builder.constant(hint, data, shape)
  })

export const scalarOf = (call: LayerCall, key: string, value: number): string =>
  call.once(`${key} ${value}`, () => call.builder.scalar(key, value))

export const intsOf = (call: LayerCall, key: string, values: readonly number[]): string =>
  call.once(`${key} ${values}`, () => call.builder.ints(key, values))
