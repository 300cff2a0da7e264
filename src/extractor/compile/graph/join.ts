// Owns joining tensors, or lists of known whole numbers: concatenate, stack, repeat.
import { axisInMemory } from '../tensor-value.js'
import { type Dimension, fixed, ONE, product, same, sizeOf } from './dimension.js'
import { integers } from './integers.js'
import {
  axisOf,
  type Compile,
  floatInput,
  numbersInput,
  numbersOf,
  type Operation,
  write,
} from './operation.js'
import { demand, refuse } from './refusal.js'
import { type Float, type Integers, isFloat, isIntegers, type Value } from './value.js'
import { computed } from './writer.js'

const MAX_INTEGERS = 4096

const joinIntegers = (lists: readonly Integers[]): Integers => {
  const count = lists.reduce((sum, { values }) => sum + values.length, 0)
  demand(count <= MAX_INTEGERS, 'a list too long')
  return integers(lists.flatMap(({ values }) => values))
}

/** Sizes of all other axes must agree; where one of them is not known, the known one counts. */
const joinDims = (values: readonly Float[], axis: number): Dimension[] => {
  const [first, ...others] = values.map(({ dims }) => dims)
  if (first === undefined) return refuse('nothing to join')
  return first.map((dim, i) => {
    const along = others.map((dims) => dims[i] ?? refuse('tensors of different rank'))
    if (i !== axis)
      return [dim, ...along].reduce((a, b) => {
        const [m, n] = [sizeOf(a), sizeOf(b)]
        demand(m === null || n === null || m === n, 'tensors of different shape')
        return m === null ? b : a
      })
    return sumOf([dim, ...along])
  })
}

const sumOf = (dims: readonly Dimension[]): Dimension => {
  const sizes = dims.map(sizeOf)
  if (sizes.every((size) => size !== null)) return fixed(sizes.reduce((a, b) => a + b, 0))
  const [first] = dims
  if (first !== undefined && dims.every((dim) => same(dim, first)))
    return product([first, fixed(dims.length)])
  return refuse('the sum of unknown sizes')
}

const concat = (operation: Operation, values: readonly Float[], axis: number): Float => {
  const { writer } = operation
  const rank = values[0]?.dims.length ?? 0
  demand(
    values.every(({ dims }) => dims.length === rank),
    'tensors of different rank',
  )
  const dims = joinDims(values, axis)
  const channelsFirst =
    rank === 4 && values.some((x) => x.kind === 'computed' && x.tensor.channelsFirst)
  const tensors = values.map((x) => (channelsFirst ? writer.first(x) : writer.last(x)))
  const [tensor] = tensors
  if (tensor === undefined) return refuse('nothing to join')
  const names = tensors.map(({ name }) => name)
  const at = { int: axisInMemory(tensor, axis) }
  return computed(write(operation, 'Concat', names, { axis: at }), dims, channelsFirst)
}

const concatV2: Compile = (operation) => {
  const { inputs, attribute } = operation
  const count = attribute('N', 'int', inputs.length - 1)
  demand(count === inputs.length - 1 && count > 0, 'another number of inputs')
  const given = numbersInput(operation, count)
  const values: readonly Value[] = inputs.slice(0, count)
  if (values.every(isIntegers)) {
    demand(
      values.every(({ shape }) => shape.length === 1),
      'no lists',
    )
    axisOf(given[0] ?? 0, 1)
    return joinIntegers(values)
  }
  demand(values.every(isFloat), 'an input is no float tensor')
  const floats = values as readonly Float[]
  const axis = axisOf(given[0] ?? refuse('no axis'), floats[0]?.dims.length ?? 0)
  return concat(operation, floats, axis)
}

const pack: Compile = (operation) => {
  const { inputs, attribute, writer } = operation
  const at = attribute('axis', 'int', 0)
  demand(inputs.length > 0, 'nothing to stack')
  if (inputs.every(isIntegers)) {
    demand(
      inputs.every(({ shape }) => shape.length === 0),
      'lists in a list',
    )
    axisOf(at, 1)
    return joinIntegers(inputs)
  }
  demand(inputs.every(isFloat), 'an input is no float tensor')
  const floats = inputs as readonly Float[]
  const axis = axisOf(at, (floats[0]?.dims.length ?? 0) + 1)
  const layers = floats.map((x) => {
    const name = write(operation, 'Unsqueeze', [writer.last(x).name, writer.ints([axis])])
    return computed(name, x.dims.toSpliced(axis, 0, ONE))
  })
  return concat(operation, layers, axis)
}

const tile: Compile = (operation) => {
  const { writer } = operation
  const x = floatInput(operation, 0)
  const repeats = numbersInput(operation, 1)
  demand(repeats.length === x.dims.length && repeats.every((n) => n > 0), 'repeats of other axes')
  const dims = x.dims.map((dim, axis) => product([dim, fixed(repeats[axis] ?? 1)]))
  const name = write(operation, 'Tile', [writer.last(x).name, writer.ints(repeats)])
  return computed(name, dims)
}

/** Between types: whole numbers that are known may become floats, nothing else changes its type. */
const cast: Compile = (operation) => {
  const [x] = operation.inputs
  const type = operation.attribute('DstT', 'type')
  if (x === undefined) return refuse('nothing to cast')
  if (isFloat(x) && type === 'DT_FLOAT') return x
  if (!isIntegers(x)) return refuse('a cast from another type')
  if (type === 'DT_INT32' || type === 'DT_INT64') return x
  demand(type === 'DT_FLOAT', 'a cast to another type')
  const numbers = numbersOf(x.values)
  const { shape } = x
  const data = () => Float32Array.from(numbers)
  return { kind: 'constant', name: operation.node.name, shape, dims: shape.map(fixed), data }
}

export const JOINS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['ConcatV2', concatV2],
  ['Pack', pack],
  ['Tile', tile],
  ['Cast', cast],
])
