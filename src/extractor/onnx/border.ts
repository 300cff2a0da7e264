// Owns what a prepared graph takes and gives: uint8 pixels [n, h, w, 3] or float32 rows in, float32
// out, whatever the types inside are. Normalising pixels is part of the graph.
import type { ImageInput } from '../spec.js'
import { appendToOutput, OURS, replaceInput } from './edit.js'
import type { GraphBuilder } from './graph-builder.js'
import type { GraphInput } from './graph-input.js'
import type { OnnxModel } from './model.js'
import { TensorProto_DataType as DataType } from './onnx_pb.js'

/** The input of every prepared graph. */
export const PREPARED_INPUT = `${OURS}/input`
/** Its only output. */
export const PREPARED_OUTPUT = `${OURS}/features`

/** Whether all three numbers are `value`, so that applying them changes nothing. */
const all = (triple: readonly number[], value: number): boolean =>
  triple.every((number) => number === value)

/** One number where all channels share it, else one a channel, along the axis of the channels. */
const perChannel = (
  builder: GraphBuilder,
  hint: string,
  triple: readonly number[],
  channelsFirst: boolean,
): string => {
  const [first = 0] = triple
  if (all(triple, first)) return builder.scalar(`${OURS}/${hint}`, first)
  return builder.constant(
    `${OURS}/${hint}`,
    Float32Array.from(triple),
    channelsFirst ? [3, 1, 1] : [3],
  )
}

/**
 * The graph takes RGB pixels uint8 [batch, height, width, 3] and computes p * scale + offset in
 * float32, in the channel order and the axis order of the base. Axes move while a value is one byte.
 */
export const takePixels = (
  model: OnnxModel,
  input: GraphInput,
  { size, channels, scale, offset }: ImageInput,
  channelsFirst: boolean,
): OnnxModel =>
  replaceInput(
    model,
    {
      replaces: input.name,
      name: PREPARED_INPUT,
      type: DataType.UINT8,
      dims: [input.batch, ...size, 3],
    },
    (builder, pixels, old) => {
      let value = pixels
      if (channelsFirst)
        value = builder.node('Transpose', [value], { perm: { ints: [0, 3, 1, 2] } })
      if (channels === 'bgr') {
        const reversed = builder.ints(`${OURS}/bgr`, [2, 1, 0])
        value = builder.node('Gather', [value, reversed], { axis: { int: channelsFirst ? 1 : 3 } })
      }
      value = builder.node('Cast', [value], { to: { int: DataType.FLOAT } })
      if (!all(scale, 1))
        value = builder.node('Mul', [value, perChannel(builder, 'scale', scale, channelsFirst)])
      if (!all(offset, 0))
        value = builder.node('Add', [value, perChannel(builder, 'offset', offset, channelsFirst)])
      builder.node('Cast', [value], { to: { int: input.type } }, old)
    },
  )

/** The graph takes float32 rows [batch, ...shape]. */
export const takeRows = (
  model: OnnxModel,
  input: GraphInput,
  shape: readonly number[],
): OnnxModel =>
  replaceInput(
    model,
    {
      replaces: input.name,
      name: PREPARED_INPUT,
      type: DataType.FLOAT,
      dims: [input.batch, ...shape],
    },
    (builder, rows, old) => {
      builder.node('Cast', [rows], { to: { int: input.type } }, old)
    },
  )

/** The output becomes float32, under the name that is given. Where it is already, onnxruntime drops the cast. */
export const giveFloat32 = (model: OnnxModel, name: string): OnnxModel =>
  appendToOutput(model, (builder, output) =>
    builder.node('Cast', [output], { to: { int: DataType.FLOAT } }, name),
  )
