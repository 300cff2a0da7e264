// Owns the padding of sliding windows (convolutions and poolings) as TF.js means it.
import type { Attributes } from '../../onnx/graph-builder.js'
import type { Shape } from '../tensor-value.js'
import { type LayerCall, requireSetting, UnsupportedSetting } from './layer-call.js'

export interface Window {
  readonly size: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
}

const isPositive = (value: number): boolean => Number.isInteger(value) && value > 0

/** One whole positive number for each spatial axis. */
export const perAxis = (call: LayerCall, key: string, axes: number): number[] => {
  const given = call.settings.raw(key)
  const values = typeof given === 'number' ? new Array<number>(axes).fill(given) : given
  if (!Array.isArray(values) || values.length !== axes || !values.every(isPositive))
    throw new UnsupportedSetting(`${key} ${JSON.stringify(given)}`)
  return values
}

/** TF.js puts the odd row or column of padding at the end. @returns all begins, then all ends. */
const samePads = (spatial: readonly number[], { size, strides, dilations }: Window): number[] => {
  const totals = spatial.map((length, i) => {
    const stride = strides[i] as number
    const reach = ((size[i] as number) - 1) * (dilations[i] as number) + 1
    return Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach - length)
  })
  const begins = totals.map((total) => Math.floor(total / 2))
  return [...begins, ...totals.map((total, i) => total - (begins[i] as number))]
}

const isZero = (value: number): boolean => value === 0

/** Where the sizes of the input are not known; onnxruntime computes the padding when it sees them. */
const openPadding = ({ size, strides, dilations }: Window): Attributes => {
  // A window of one pixel needs no padding, whatever the size.
  if (size.every((length) => length === 1)) return {}
  const jumps = size.some((length, i) => length < (strides[i] as number))
  if (jumps || dilations.some((dilation) => dilation !== 1))
    throw new UnsupportedSetting('padding same of such a window where the input has no fixed size')
  return { auto_pad: { string: 'SAME_UPPER' } }
}

const paddingOf = (padding: string, shape: Shape, window: Window): Attributes => {
  if (padding === 'valid') return {}
  if (padding !== 'same') throw new UnsupportedSetting(`padding ${padding}`)
  const spatial = shape.slice(1, -1)
  if (!spatial.every((length) => length !== null)) return openPadding(window)
  const pads = samePads(spatial, window)
  return pads.every(isZero) ? {} : { pads: { ints: pads } }
}

/** Window, strides, dilations and padding as ONNX's Conv and poolings take them. @param shape of the input. */
export const windowAttributes = (call: LayerCall, shape: Shape, window: Window): Attributes => {
  requireSetting(call.settings, 'dataFormat', 'channelsLast')
  const { size, strides, dilations } = window
  return {
    kernel_shape: { ints: size },
    strides: { ints: strides },
    ...(dilations.every((dilation) => dilation === 1) ? {} : { dilations: { ints: dilations } }),
    ...paddingOf(call.settings.string('padding'), shape, window),
  }
}
