// Owns operations that change a shape and no value: reshape, squeeze, expand, transpose.
import {
  BATCH,
  type Dimension,
  fixed,
  isOne,
  ONE,
  product,
  quotient,
  same,
  sizeOf,
} from './dimension.js'
import { integers } from './integers.js'
import {
  axisOf,
  type Compile,
  floatInput,
  input,
  integersInput,
  numberInput,
  numbersInput,
  type Operation,
  write,
} from './operation.js'
import { demand, refuse } from './refusal.js'
import { type Float, isIntegers, type Value } from './value.js'
import { computed, type Writer } from './writer.js'

/** The tensor with its values in TF.js's order: with one pixel, both layouts have the same order. */
const inValueOrder = (x: Float, writer: Writer): { name: string; dims: readonly Dimension[] } => {
  const [batch, height, width, channels] = x.dims
  const swapped =
    x.kind === 'computed' && x.tensor.channelsFirst && height && width && batch && channels
  if (swapped && isOne(height) && isOne(width))
    return { name: x.tensor.name, dims: [batch, channels, height, width] }
  return { name: writer.last(x).name, dims: x.dims }
}

const isMinusOne = (dim: Dimension): boolean => sizeOf(dim) === -1

/** The dimensions of the result; at most one of `target` is -1, which stands for the rest. */
const resolveTarget = (
  from: readonly Dimension[],
  target: readonly Dimension[],
  writer: Writer,
): Dimension[] => {
  const total = product(from)
  const given = product(target.filter((dim) => !isMinusOne(dim)))
  const open = target.filter(isMinusOne).length
  demand(open <= 1 && given.factor > 0, 'a shape that is none')
  const rest = quotient(total, given)
  const [m, n] = [sizeOf(total), sizeOf(given)]
  if (open === 0) {
    const fits = rest === null ? m === null && n === null : isOne(rest)
    demand(fits, 'a shape for another number of values')
    return [...target]
  }
  // Sides that are not known may make it whole; a number of samples does not.
  const isOpen = total.symbols.some((name) => !BATCH.symbols.includes(name))
  demand(rest !== null || isOpen || n === null, 'a shape for another number of values')
  return target.map((dim) => (isMinusOne(dim) ? (rest ?? writer.symbols.fresh()) : dim))
}

/** What Reshape takes: 0 copies a size of its input, -1 is what is left, once. */
const reshapeList = (from: readonly Dimension[], to: readonly Dimension[]): number[] => {
  const list = to.map((dim, axis) => {
    const size = sizeOf(dim)
    if (size !== null) return size
    const original = from[axis]
    return original !== undefined && same(original, dim) ? 0 : -1
  })
  demand(list.filter((size) => size === -1).length <= 1, 'several unknown sizes')
  return list
}

const reshapeFloat = (operation: Operation, x: Float, target: readonly Dimension[]): Float => {
  const { writer } = operation
  const dims = resolveTarget(x.dims, target, writer)
  const source = inValueOrder(x, writer)
  const [batch, height, width, channels] = dims
  // One pixel for each sample: it is made with channels first, as the convolutions after it want it.
  const pixel =
    dims.length === 4 && batch && channels && height && width && isOne(height) && isOne(width)
  const inMemory = pixel ? [batch, channels, height, width] : dims
  const list = writer.ints(reshapeList(source.dims, inMemory))
  return computed(write(operation, 'Reshape', [source.name, list]), dims, pixel === true)
}

const reshape: Compile = (operation) => {
  const x = input(operation, 0)
  const { shape, values } = integersInput(operation, 1)
  demand(shape.length === 1, 'a shape that is no list')
  if (!isIntegers(x)) return reshapeFloat(operation, floatInput(operation, 0), values)
  const count = fixed(x.values.length)
  demand(count.factor > 0 && values.length <= 2, 'a list of another shape')
  const dims = resolveTarget([count], values, operation.writer).map((dim) => sizeOf(dim) ?? -1)
  demand(
    dims.every((size) => size > 0),
    'a list of unknown length',
  )
  return integers(x.values, dims)
}

const squeeze: Compile = (operation) => {
  const x = input(operation, 0)
  const given = readSqueezeAxes(operation)
  if (isIntegers(x)) {
    const shape = x.shape.filter((size, axis) => !takenAway(given, axis, size, x.shape.length))
    return integers(x.values, shape)
  }
  const value = floatInput(operation, 0)
  // Without axes TF.js drops every axis of size 1, a batch of one sample included.
  demand(given.length > 0 || value.dims.every((dim) => sizeOf(dim) !== null), 'a squeezed batch')
  const rank = value.dims.length
  const gone = value.dims.map((dim, axis) => takenAway(given, axis, sizeOf(dim), rank))
  const dims = value.dims.filter((_, axis) => gone[axis] !== true)
  const axes = gone.flatMap((away, axis) => (away ? [axis] : []))
  if (axes.length === 0) return value
  const { writer } = operation
  const pixelOnly = axes.length === 2 && axes[0] === 1 && axes[1] === 2
  if (value.kind === 'computed' && value.tensor.channelsFirst && pixelOnly) {
    const name = write(operation, 'Squeeze', [value.tensor.name, writer.ints([2, 3])])
    return computed(name, dims)
  }
  const name = write(operation, 'Squeeze', [writer.last(value).name, writer.ints(axes)])
  return computed(name, dims)
}

const readSqueezeAxes = ({ attribute }: Operation): number[] => {
  const axes = attribute('axis', 'ints', [])
  return axes.length > 0 ? axes : attribute('squeeze_dims', 'ints', [])
}

const takenAway = (
  given: readonly number[],
  axis: number,
  size: number | null,
  rank: number,
): boolean => {
  if (given.length === 0) return size === 1
  const named = given.some((at) => axisOf(at, rank) === axis)
  demand(!named || size === 1, 'squeezing an axis that is not 1')
  return named
}

const expandDims: Compile = (operation) => {
  const x: Value = input(operation, 0)
  const at = numberInput(operation, 1)
  if (isIntegers(x)) {
    const axis = axisOf(at, x.shape.length + 1)
    return integers(x.values, x.shape.toSpliced(axis, 0, 1))
  }
  const value = floatInput(operation, 0)
  const axis = axisOf(at, value.dims.length + 1)
  const { writer } = operation
  const name = write(operation, 'Unsqueeze', [writer.last(value).name, writer.ints([axis])])
  return computed(name, value.dims.toSpliced(axis, 0, ONE))
}

const LAST_TO_FIRST = [0, 3, 1, 2]
const FIRST_TO_LAST = [0, 2, 3, 1]

const transpose: Compile = (operation) => {
  const { writer } = operation
  const x = floatInput(operation, 0)
  const rank = x.dims.length
  const perm = numbersInput(operation, 1).map((axis) => axisOf(axis, rank))
  demand(perm.length === rank && new Set(perm).size === rank, 'no permutation')
  const dims = perm.map((axis) => x.dims[axis] ?? refuse('no permutation'))
  const channelsFirst = x.kind === 'computed' && x.tensor.channelsFirst
  // Graphs that came from a channels-first framework do this around each convolution. In memory
  // nothing moves; a name of its own keeps the two readings of the tensor apart.
  if (x.kind === 'computed' && channelsFirst && perm.join() === LAST_TO_FIRST.join())
    return computed(write(operation, 'Identity', [x.tensor.name]), dims)
  if (x.kind === 'computed' && !channelsFirst && perm.join() === FIRST_TO_LAST.join())
    return computed(write(operation, 'Identity', [x.tensor.name]), dims, true)
  const name = write(operation, 'Transpose', [writer.last(x).name], { perm: { ints: perm } })
  return computed(name, dims)
}

const shapeOf: Compile = (operation) => integers(floatInput(operation, 0).dims)

export const SHAPES: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['Reshape', reshape],
  ['Squeeze', squeeze],
  ['ExpandDims', expandDims],
  ['Transpose', transpose],
  ['Shape', shapeOf],
])
