// Owns values in a graph under construction and the order in which their axes lie: TF.js has channels
// last, ONNX's convolutions and poolings have them first. Writes a Transpose only where one is needed.
import type { GraphBuilder } from '../onnx/graph-builder.js'

/** In TF.js's order of axes, batch first and null; another null is a size that depends on the input. */
export type Shape = readonly (number | null)[]

/** One tensor of the graph. `shape` is in TF.js's order whatever the order in memory. */
export interface TensorValue {
  readonly name: string
  readonly shape: Shape
  /** [batch, channels, ...spatial] in memory instead of [batch, ...spatial, channels]. */
  readonly channelsFirst: boolean
}

/** Up to rank 2 there are no spatial axes, so both orders are the same. */
const hasSpatialAxes = ({ shape }: TensorValue): boolean => shape.length > 2

const spatialAxes = (rank: number, from: number): number[] =>
  Array.from({ length: rank - 2 }, (_, i) => i + from)

/** As Transpose takes it: which axis of the input each axis of the output is. */
const toFirst = (rank: number): number[] => [0, rank - 1, ...spatialAxes(rank, 1)]
const toLast = (rank: number): number[] => [0, ...spatialAxes(rank, 2), 1]

/** Where an axis of `shape` lies in memory. @param axis in TF.js's order, not negative. */
export const axisInMemory = (value: TensorValue, axis: number): number => {
  const rank = value.shape.length
  if (!value.channelsFirst || !hasSpatialAxes(value) || axis === 0) return axis
  return axis === rank - 1 ? 1 : axis + 1
}

/** `shape` as the tensor lies in memory. */
export const shapeInMemory = ({ shape, channelsFirst }: TensorValue): Shape =>
  channelsFirst && shape.length > 2
    ? toFirst(shape.length).map((axis) => shape[axis] ?? null)
    : shape

/** Shape of a constant with one value a channel, so that it broadcasts over the value. */
export const channelDims = ({ shape, channelsFirst }: TensorValue, channels: number): number[] =>
  channelsFirst ? [channels, ...Array<number>(Math.max(0, shape.length - 2)).fill(1)] : [channels]

export interface Layouts {
  /** The value with channels first; itself where that is so, or where the rank is 2 or less. */
  channelsFirst(value: TensorValue): TensorValue
  /** The value in TF.js's order. */
  channelsLast(value: TensorValue): TensorValue
  /**
   * The values in one order: channels first where one of them has that and all have the same rank, so
   * that a chain of element-wise operations stays as its convolutions are; else TF.js's order.
   */
  align(values: readonly TensorValue[]): TensorValue[]
  /** Makes a tensor with exactly this name, in TF.js's order. Nothing else in the graph reads it. */
  publish(value: TensorValue, name: string): void
}

/** Each value is transposed once at most; going back gives the value that it was made of. */
export const createLayouts = (builder: GraphBuilder): Layouts => {
  const counterparts = new Map<string, TensorValue>()

  const other = (value: TensorValue): TensorValue => {
    const known = counterparts.get(value.name)
    if (known !== undefined) return known
    const rank = value.shape.length
    const perm = { ints: value.channelsFirst ? toLast(rank) : toFirst(rank) }
    const made: TensorValue = {
      name: builder.node('Transpose', [value.name], { perm }),
      shape: value.shape,
      channelsFirst: !value.channelsFirst,
    }
    counterparts.set(value.name, made)
    counterparts.set(made.name, value)
    return made
  }
  const inOrder = (value: TensorValue, channelsFirst: boolean): TensorValue => {
    if (value.channelsFirst === channelsFirst) return value
    return hasSpatialAxes(value) ? other(value) : { ...value, channelsFirst }
  }
  return {
    channelsFirst: (value) => (hasSpatialAxes(value) ? inOrder(value, true) : value),
    channelsLast: (value) => inOrder(value, false),
    align: (values) => {
      const rank = values[0]?.shape.length
      const first =
        values.some((value) => value.channelsFirst && hasSpatialAxes(value)) &&
        values.every(({ shape }) => shape.length === rank)
      return values.map((value) => inOrder(value, first))
    },
    publish: (value, name) => {
      const made = value.channelsFirst && hasSpatialAxes(value)
      const known = made ? counterparts.get(value.name) : value
      if (known !== undefined) builder.node('Identity', [known.name], {}, name)
      else
        builder.node(
          'Transpose',
          [value.name],
          { perm: { ints: toLast(value.shape.length) } },
          name,
        )
    },
  }
}
