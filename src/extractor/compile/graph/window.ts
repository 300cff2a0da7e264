// Owns windows that slide over two spatial axes, of convolutions and poolings: strides, dilations,
// padding, and the size of what comes out.
import type { Attributes } from '../../onnx/graph-builder.js'
import { type Dimension, fixed, sizeOf } from './dimension.js'
import type { Operation } from './operation.js'
import { demand, refuse } from './refusal.js'

const MAX_STEP = 2 ** 16

type Pair = readonly [number, number]

export interface Window {
  readonly kernel: Pair
  readonly strides: Pair
  readonly dilations: Pair
  readonly padding:
    | { readonly kind: 'same' }
    /** Before and after, for each of the two axes. */
    | { readonly kind: 'explicit'; readonly pads: readonly [Pair, Pair] }
}

/** Height and width of a list with one entry an axis; batch and channels must be left alone. */
const spatialOf = (list: readonly number[], what: string): Pair => {
  const [batch, height, width, channels] = list
  if (list.length !== 4 || height === undefined || width === undefined)
    return refuse(`${what} are not those of four axes`)
  demand(batch === 1 && channels === 1, `${what} of batch or channels`)
  demand(
    [height, width].every((n) => n > 0 && n <= MAX_STEP),
    `${what} out of range`,
  )
  return [height, width]
}

const explicitPads = (list: readonly number[]): readonly [Pair, Pair] => {
  const [n0, n1, top, bottom, left, right, c0, c1] = list
  if (list.length !== 8 || top === undefined || bottom === undefined) return refuse('padding')
  if (left === undefined || right === undefined) return refuse('padding')
  demand(
    [n0, n1, c0, c1].every((pad) => pad === 0),
    'padding of batch or channels',
  )
  demand(
    [top, bottom, left, right].every((pad) => pad >= 0 && pad <= MAX_STEP),
    'padding',
  )
  return [
    [top, bottom],
    [left, right],
  ]
}

const NO_PADS: readonly [Pair, Pair] = [
  [0, 0],
  [0, 0],
]

/** @param kernel null: the operation says it. Throws Refusal. */
export const readWindow = ({ attribute }: Operation, kernel: Pair | null): Window => {
  demand(attribute('data_format', 'text', 'nhwc') === 'nhwc', 'channels first')
  const strides = spatialOf(attribute('strides', 'ints'), 'strides')
  const dilations = spatialOf(attribute('dilations', 'ints', [1, 1, 1, 1]), 'dilations')
  const dilated = dilations.some((n) => n > 1)
  demand(!dilated || strides.every((n) => n === 1), 'strides and dilations at once')
  const window = {
    kernel: kernel ?? spatialOf(attribute('ksize', 'ints'), 'sizes'),
    strides,
    dilations,
  }
  const padding = attribute('padding', 'text')
  if (padding === 'same') return { ...window, padding: { kind: 'same' } }
  if (padding === 'valid') return { ...window, padding: { kind: 'explicit', pads: NO_PADS } }
  if (padding !== 'explicit') return refuse(`the padding ${padding}`)
  const pads = explicitPads(attribute('explicit_paddings', 'ints'))
  return { ...window, padding: { kind: 'explicit', pads } }
}

/** How far a dilated kernel reaches. */
const reachOf = ({ kernel, dilations }: Window, axis: 0 | 1): number =>
  (kernel[axis] - 1) * dilations[axis] + 1

const outputSize = (size: Dimension, window: Window, axis: 0 | 1, symbols: Derive): Dimension => {
  const { strides, padding } = window
  const stride = strides[axis]
  if (padding.kind === 'same') {
    if (stride === 1) return size
    const known = sizeOf(size)
    return known === null ? symbols(size, `ceil ${stride}`) : fixed(Math.ceil(known / stride))
  }
  const [before, after] = padding.pads[axis]
  const grown = before + after - reachOf(window, axis)
  if (stride === 1 && grown === -1) return size
  const known = sizeOf(size)
  if (known === null) return symbols(size, `slide ${grown} ${stride}`)
  const result = Math.floor((known + grown) / stride) + 1
  return result > 0 ? fixed(result) : refuse('a window larger than the input')
}

type Derive = (from: Dimension, rule: string) => Dimension

/** Sizes of the two spatial axes of the result. */
export const slide = (
  window: Window,
  height: Dimension,
  width: Dimension,
  derive: Derive,
): [Dimension, Dimension] => [
  outputSize(height, window, 0, derive),
  outputSize(width, window, 1, derive),
]

/** TF.js pads more at the end. At stride 1 the size does not matter. Null: it matters and is unknown. */
const samePads = (window: Window, size: Dimension, axis: 0 | 1): Pair | null => {
  const stride = window.strides[axis]
  const known = sizeOf(size)
  if (stride > 1 && known === null) return null
  const beyond = stride === 1 ? 1 : (known ?? 0) - (Math.ceil((known ?? 0) / stride) - 1) * stride
  const total = Math.max(0, reachOf(window, axis) - beyond)
  const before = Math.floor(total / 2)
  return [before, total - before]
}

/** For Conv and the poolings. Padding is written out where it is known: SAME_UPPER has exceptions. */
export const windowAttributes = (
  window: Window,
  height: Dimension,
  width: Dimension,
): Attributes => {
  const { kernel, strides, dilations, padding } = window
  const attributes: Attributes = {
    kernel_shape: { ints: kernel },
    strides: { ints: strides },
    ...(dilations.some((n) => n > 1) ? { dilations: { ints: dilations } } : {}),
  }
  const [vertical, horizontal] =
    padding.kind === 'explicit'
      ? padding.pads
      : [samePads(window, height, 0), samePads(window, width, 1)]
  if (vertical === null || horizontal === null) {
    // onnxruntime would start inside the image.
    demand(
      kernel.every((n, axis) => n >= (strides[axis] ?? 1)),
      'strides that leave pixels out',
    )
    return { ...attributes, auto_pad: { string: 'SAME_UPPER' } }
  }
  const [[top, bottom], [left, right]] = [vertical, horizontal]
  return { ...attributes, pads: { ints: [top, left, bottom, right] } }
}
