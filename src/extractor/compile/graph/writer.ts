// Owns writing to the ONNX graph: nodes, and the weights and lists that nodes read, each written once
// in each form that is needed.
import { HeadstartError } from '../../../errors.js'
import type { ConstantData, GraphBuilder } from '../../onnx/graph-builder.js'
import { createLayouts, type Layouts, type TensorValue } from '../tensor-value.js'
import { createSymbols, type Dimension, type Symbols, sizeOf } from './dimension.js'
import { permute } from './permute.js'
import { demand } from './refusal.js'
import type { Computed, Constant, Float } from './value.js'

/** An ONNX file is one protobuf message, which has less than 2 GiB; the rest is for the nodes. */
const MAX_WEIGHT_BYTES = 2 ** 31 - 2 ** 26

/** How the axes of a weight become those of its tensor in the graph. */
export interface Form {
  readonly order: readonly number[]
  readonly dims: readonly number[]
}

export interface Writer {
  readonly builder: GraphBuilder
  readonly layouts: Layouts
  readonly symbols: Symbols
  /** The weight with its axes reordered and then named anew, which keeps the values' order. */
  weight(constant: Constant, form: Form): string
  /** int64 [values.length]. */
  ints(values: readonly number[]): string
  /** int64 of any shape. */
  indices(values: readonly number[], shape: readonly number[]): string
  /** float32 scalar. */
  scalar(value: number): string
  /** A list of values that no weight of the base holds; equal lists of one key are written once. */
  derived(key: string, make: () => Float32Array): string
  /** The value as a tensor in TF.js's order of axes. */
  last(value: Float): TensorValue
  /** The value of rank 4 as a tensor with channels first. */
  first(value: Float): TensorValue
}

export const computed = (
  name: string,
  dims: readonly Dimension[],
  channelsFirst = false,
): Computed => ({
  kind: 'computed',
  dims,
  tensor: { name, shape: dims.map(sizeOf), channelsFirst },
})

const identityOrder = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis)

export const createWriter = (builder: GraphBuilder): Writer => {
  const layouts = createLayouts(builder)
  const written = new Map<string, string>()
  let weightBytes = 0

  const once = (key: string, write: () => string): string => {
    const name = written.get(key) ?? write()
    written.set(key, name)
    return name
  }
  const store = (hint: string, data: ConstantData, dims: readonly number[]): string => {
    weightBytes += data.byteLength
    if (weightBytes > MAX_WEIGHT_BYTES)
      throw new HeadstartError(
        'BASE_LAYER_UNKNOWN',
        'the weights take more than 2 GB as float32, which one ONNX file cannot hold',
      )
    return builder.constant(hint, data, dims)
  }
  const weight: Writer['weight'] = ({ name, shape, data }, { order, dims }) =>
    once(`weight ${order} ${dims} ${name}`, () => {
      const inOrder = order.every((axis, i) => axis === i)
      return store(name, inOrder ? data() : permute(data(), shape, order), dims)
    })
  const asIs = (constant: Constant): TensorValue => ({
    name: weight(constant, { order: identityOrder(constant.shape.length), dims: constant.shape }),
    shape: constant.shape,
    channelsFirst: false,
  })
  return {
    builder,
    layouts,
    symbols: createSymbols(),
    weight,
    ints: (values) => once(`ints ${values}`, () => builder.ints('ints', values)),
    indices: (values, shape) =>
      once(`indices ${shape} ${values}`, () =>
        builder.constant('indices', BigInt64Array.from(values, BigInt), shape),
      ),
    scalar: (value) => once(`scalar ${value}`, () => builder.scalar('scalar', value)),
    derived: (key, make) =>
      once(`derived ${key}`, () => {
        const data = make()
        return store('derived', data, [data.length])
      }),
    last: (value) => (value.kind === 'constant' ? asIs(value) : layouts.channelsLast(value.tensor)),
    first: (value) => {
      demand(value.dims.length === 4, 'channels first without two spatial axes')
      if (value.kind === 'computed') return layouts.channelsFirst(value.tensor)
      const order = [0, 3, 1, 2]
      const dims = order.map((axis) => value.shape[axis] as number)
      return { name: weight(value, { order, dims }), shape: value.shape, channelsFirst: true }
    },
  }
}
