// Owns broadcasting: the shape of an element-wise result, and operands in the layout of that result.
import { type Dimension, isOne, ONE, same, sizeOf } from './dimension.js'
import { demand, refuse } from './refusal.js'
import type { Float } from './value.js'
import { computed, type Writer } from './writer.js'

const broadcastPair = (a: Dimension, b: Dimension, writer: Writer): Dimension => {
  if (same(a, b) || isOne(b)) return a
  if (isOne(a)) return b
  const [m, n] = [sizeOf(a), sizeOf(b)]
  if (m !== null && n !== null) return refuse('shapes that do not broadcast')
  // One of them is not known: it is 1, or the size that is known.
  if (m !== null) return a
  return n !== null ? b : writer.symbols.fresh()
}

/** Aligned at the last axis, as TF.js and ONNX do it. */
export const broadcastDims = (
  shapes: readonly (readonly Dimension[])[],
  writer: Writer,
): Dimension[] => {
  const rank = Math.max(...shapes.map(({ length }) => length))
  return Array.from({ length: rank }, (_, i) =>
    shapes
      .map((dims) => dims[i - rank + dims.length] ?? ONE)
      .reduce((a, b) => broadcastPair(a, b, writer)),
  )
}

/** A value as it broadcasts with one of rank 4 that has channels first. */
const operandFirst = (value: Float, writer: Writer): string => {
  const { dims } = value
  if (dims.length === 4) return writer.first(value).name
  if (dims.every(isOne) && dims.length <= 1) return writer.last(value).name
  const missing = 4 - dims.length
  if (value.kind === 'constant') {
    // Axes that are missing at the front broadcast by themselves; those in the middle are written.
    const order = [2, 0, 1].map((axis) => axis - missing + 1).filter((axis) => axis >= 0)
    const at = (axis: number): number => value.shape[axis - missing] ?? 1
    return writer.weight(value, { order, dims: [at(3), at(1), at(2)] })
  }
  const axes = writer.ints(Array.from({ length: missing }, (_, axis) => axis))
  const unsqueezed = writer.builder.node('Unsqueeze', [writer.last(value).name, axes])
  const ones = Array.from({ length: missing }, () => ONE)
  return writer.first(computed(unsqueezed, [...ones, ...dims])).name
}

export interface Operands {
  readonly names: readonly string[]
  readonly dims: readonly Dimension[]
  readonly channelsFirst: boolean
}

/** Channels first where one operand of the result's rank lies so; else TF.js's order. */
export const alignOperands = (values: readonly Float[], writer: Writer): Operands => {
  const dims = broadcastDims(
    values.map((value) => value.dims),
    writer,
  )
  demand(values.length > 0, 'no operands')
  const channelsFirst =
    dims.length === 4 &&
    values.some((value) => value.kind === 'computed' && value.tensor.channelsFirst)
  const names = values.map((value) =>
    channelsFirst ? operandFirst(value, writer) : writer.last(value).name,
  )
  return { names, dims, channelsFirst }
}
