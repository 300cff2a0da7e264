// Owns taking parts of tensors, or of lists of known whole numbers: slices, splits, gathers.
import { axisInMemory } from '../tensor-value.js'
import { type Dimension, fixed, quotient, same, sizeOf } from './dimension.js'
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
import { computed } from './writer.js'

/** Beyond every axis; ONNX stops at the end. */
export const TO_THE_END = 2 ** 31 - 1

/** Which part of one axis is taken, and how long that part is. */
export interface Range {
  readonly axis: number
  readonly start: number
  readonly end: number
  readonly step: number
  readonly size: Dimension
}

/** Takes a range of each axis named, in the layout that the tensor has. */
export const sliceFloat = (operation: Operation, x: Float, ranges: readonly Range[]): Float => {
  if (ranges.length === 0) return x
  const { writer } = operation
  const tensor = x.kind === 'computed' ? x.tensor : writer.last(x)
  const lists = [
    ranges.map(({ start }) => start),
    ranges.map(({ end }) => end),
    ranges.map(({ axis }) => axisInMemory(tensor, axis)),
    ranges.map(({ step }) => step),
  ].map((list) => writer.ints(list))
  const name = write(operation, 'Slice', [tensor.name, ...lists])
  const dims = x.dims.map((dim, at) => ranges.find(({ axis }) => axis === at)?.size ?? dim)
  return computed(name, dims, tensor.channelsFirst)
}

/** @param size -1: to the end. Null: the whole axis. */
const rangeOf = (
  operation: Operation,
  dim: Dimension,
  axis: number,
  start: number,
  size: Dimension,
): Range | null => {
  demand(start >= 0, 'a negative start')
  const [known, wanted] = [sizeOf(dim), sizeOf(size)]
  if (start === 0 && (wanted === -1 || same(size, dim))) return null
  if (wanted === null) return refuse('a slice of unknown size')
  if (known === null) {
    const rest = operation.writer.symbols.derived(dim, `from ${start}`)
    const taken = wanted === -1 ? rest : fixed(wanted)
    demand(wanted === -1 || wanted > 0, 'an empty slice')
    return { axis, start, end: wanted === -1 ? TO_THE_END : start + wanted, step: 1, size: taken }
  }
  const count = wanted === -1 ? known - start : wanted
  demand(count > 0 && start + count <= known, 'a slice beyond the end')
  return { axis, start, end: start + count, step: 1, size: fixed(count) }
}

const slice: Compile = (operation) => {
  const x: Value = input(operation, 0)
  const starts = numbersInput(operation, 1)
  const sizes = integersInput(operation, 2).values
  const dims = isIntegers(x) ? x.shape.map(fixed) : floatInput(operation, 0).dims
  demand(starts.length === dims.length && sizes.length === dims.length, 'a slice of other axes')
  const ranges = dims.flatMap((dim, axis) => {
    const [start, size] = [starts[axis], sizes[axis]]
    if (start === undefined || size === undefined) return refuse('a slice of other axes')
    return rangeOf(operation, dim, axis, start, size) ?? []
  })
  if (!isIntegers(x)) return sliceFloat(operation, floatInput(operation, 0), ranges)
  demand(x.shape.length === 1, 'a slice of a table')
  const [range] = ranges
  return range === undefined ? x : integers(x.values.slice(range.start, range.end))
}

/** Consecutive parts along one axis, which must make up the whole of it. */
const parts = (
  operation: Operation,
  x: Float,
  axis: number,
  sizes: readonly Dimension[],
): Float[] => {
  let start = 0
  return sizes.map((size) => {
    const count = sizeOf(size) ?? refuse('a part of unknown size')
    const range = { axis, start, end: start + count, step: 1, size }
    demand(count > 0, 'an empty part')
    start += count
    return sliceFloat(operation, x, [range])
  })
}

const MAX_PARTS = 1024

const split: Compile = (operation) => {
  const x = floatInput(operation, 1)
  const axis = axisOf(numberInput(operation, 0), x.dims.length)
  const count = operation.attribute('num_split', 'int', 1)
  const dim = x.dims[axis]
  demand(count > 0 && count <= MAX_PARTS && dim !== undefined, 'a number of parts out of range')
  const size = quotient(dim, fixed(count)) ?? refuse('parts of different size')
  return parts(operation, x, axis, Array<Dimension>(count).fill(size))
}

const splitV: Compile = (operation) => {
  const x = floatInput(operation, 0)
  const axis = axisOf(numberInput(operation, 2), x.dims.length)
  const sizes = numbersInput(operation, 1)
  const whole = sizeOf(x.dims[axis] ?? refuse('no axis')) ?? refuse('an unknown axis')
  demand(sizes.length <= MAX_PARTS, 'a number of parts out of range')
  const given = sizes.filter((size) => size !== -1).reduce((a, b) => a + b, 0)
  const open = sizes.length - sizes.filter((size) => size !== -1).length
  demand(open === 0 ? given === whole : open === 1, 'parts that are not the whole')
  return parts(
    operation,
    x,
    axis,
    sizes.map((size) => fixed(size === -1 ? whole - given : size)),
  )
}

const at = (values: readonly Dimension[], index: number): Dimension =>
  values[index] ?? refuse('an index beyond the end')

/** Each element by itself, without the axis. */
const unpack: Compile = (operation) => {
  const x: Value = input(operation, 0)
  const given = operation.attribute('axis', 'int', 0)
  if (isIntegers(x)) {
    demand(x.shape.length === 1 && axisOf(given, 1) === 0, 'no list')
    return x.values.map((value) => integers([value], []))
  }
  const value = floatInput(operation, 0)
  const axis = axisOf(given, value.dims.length)
  const count = sizeOf(at(value.dims, axis)) ?? refuse('a number of parts that is not known')
  demand(count <= MAX_PARTS, 'a number of parts out of range')
  const { writer } = operation
  const sizes = Array<Dimension>(count).fill(fixed(1))
  return parts(operation, value, axis, sizes).map((part) => {
    const name = write(operation, 'Squeeze', [writer.last(part).name, writer.ints([axis])])
    return computed(name, value.dims.toSpliced(axis, 1))
  })
}

const gatherAlong = (operation: Operation, given: number): Value => {
  const x: Value = input(operation, 0)
  const { shape, values } = integersInput(operation, 1)
  const indices = numbersInput(operation, 1)
  if (isIntegers(x)) {
    demand(x.shape.length === 1 && axisOf(given, 1) === 0, 'no list')
    demand(
      indices.every((index) => index >= 0),
      'a negative index',
    )
    return integers(
      indices.map((index) => at(x.values, index)),
      shape,
    )
  }
  const value = floatInput(operation, 0)
  const axis = axisOf(given, value.dims.length)
  const dim = at(value.dims, axis)
  const known = sizeOf(dim)
  demand(values.length > 0 && indices.every((i) => i >= 0), 'an index out of range')
  demand(known !== null && indices.every((i) => i < known), 'an index out of range')
  const { writer } = operation
  const list = writer.indices(indices, shape)
  const name = write(operation, 'Gather', [writer.last(value).name, list], { axis: { int: axis } })
  return computed(name, value.dims.toSpliced(axis, 1, ...shape.map(fixed)))
}

const gatherV2: Compile = (operation) => {
  demand(operation.attribute('batch_dims', 'int', 0) === 0, 'batches of indices')
  return gatherAlong(operation, numberInput(operation, 2))
}

export const SLICES: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['Slice', slice],
  ['Split', split],
  ['SplitV', splitV],
  ['Unpack', unpack],
  ['Gather', (operation) => gatherAlong(operation, 0)],
  ['GatherV2', gatherV2],
])
