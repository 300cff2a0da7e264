// Owns resizing images, in the variants that ONNX's Resize computes exactly.
import { type Dimension, fixed, sizeOf } from './dimension.js'
import { type Compile, floatInput, numbersInput, type Operation, write } from './operation.js'
import { demand, refuse } from './refusal.js'
import type { Float } from './value.js'
import { computed } from './writer.js'

const MAX_SIDE = 2 ** 14

interface Resizing {
  readonly x: Float
  readonly height: Dimension
  readonly width: Dimension
  readonly size: readonly [number, number]
  readonly aligned: boolean
  readonly halfPixel: boolean
}

const readResizing = (operation: Operation): Resizing => {
  const x = floatInput(operation, 0)
  const [, height, width, channels] = x.dims
  if (height === undefined || width === undefined || channels === undefined || x.dims.length !== 4)
    return refuse('an input that is no image')
  const [toHeight, toWidth, ...more] = numbersInput(operation, 1)
  if (toHeight === undefined || toWidth === undefined || more.length > 0) return refuse('no size')
  demand(
    [toHeight, toWidth].every((n) => n > 0 && n <= MAX_SIDE),
    'a size out of range',
  )
  const aligned = operation.attribute('align_corners', 'bool', false)
  const halfPixel = operation.attribute('half_pixel_centers', 'bool', false)
  demand(!(aligned && halfPixel), 'two ways to place pixels at once')
  return { x, height, width, size: [toHeight, toWidth], aligned, halfPixel }
}

const resize = (
  operation: Operation,
  { x, size }: Resizing,
  attributes: Readonly<Record<string, string>>,
): Float => {
  const { writer } = operation
  const { name: from } = writer.first(x)
  // All four sizes: where Resize names two axes, onnxruntime's optimiser loses their sizes when it moves
  // a Transpose across.
  const kept = write(operation, 'Shape', [from], { start: { int: 0 }, end: { int: 2 } })
  const sizes = write(operation, 'Concat', [kept, writer.ints(size)], { axis: { int: 0 } })
  const name = write(
    operation,
    'Resize',
    [from, '', '', sizes],
    Object.fromEntries(Object.entries(attributes).map(([key, string]) => [key, { string }])),
  )
  const [batch, , , channels] = x.dims
  if (batch === undefined || channels === undefined) return refuse('an input that is no image')
  return computed(name, [batch, fixed(size[0]), fixed(size[1]), channels], true)
}

const bilinear: Compile = (operation) => {
  const resizing = readResizing(operation)
  const placed = resizing.halfPixel ? 'half_pixel' : 'asymmetric'
  return resize(operation, resizing, {
    mode: 'linear',
    coordinate_transformation_mode: resizing.aligned ? 'align_corners' : placed,
  })
}

/**
 * Only to a whole multiple of the size: at other ratios a pixel may lie between two others up to the
 * rounding of a float, and engines choose differently.
 */
const nearest: Compile = (operation) => {
  const resizing = readResizing(operation)
  const { height, width, size, aligned, halfPixel } = resizing
  demand(!aligned, 'aligned corners, which round between pixels')
  const [fromHeight, fromWidth] = [sizeOf(height), sizeOf(width)]
  if (fromHeight === null || fromWidth === null) return refuse('an unknown size')
  demand(size[0] % fromHeight === 0 && size[1] % fromWidth === 0, 'no whole multiple of the size')
  return resize(operation, resizing, {
    mode: 'nearest',
    coordinate_transformation_mode: halfPixel ? 'half_pixel' : 'asymmetric',
    nearest_mode: halfPixel ? 'round_prefer_ceil' : 'floor',
  })
}

export const IMAGES: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['ResizeBilinear', bilinear],
  ['ResizeNearestNeighbor', nearest],
])
