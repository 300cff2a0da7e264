// Owns pooling behind the cut of a graph: mean or maximum over the spatial axes.
import { spatialAxes } from '../layout.js'
import { appendToOutput, OURS } from './edit.js'
import { type OnnxModel, opsetOf } from './model.js'

/** From this version on the axes of a reduction are an input, before it an attribute. */
const AXES_AS_INPUT = 18

export interface Pooling {
  readonly kind: 'avg' | 'max'
  /** Axes of the output of the graph, with the batch axis. */
  readonly rank: number
  readonly channelsFirst: boolean
}

/**
 * The output [batch, ...spatial, channels], or with channels first, becomes [batch, channels] under
 * the name that is given. It must have spatial axes.
 */
export const appendPooling = (
  model: OnnxModel,
  { kind, rank, channelsFirst }: Pooling,
  name: string,
): OnnxModel => {
  const axes = spatialAxes(rank, channelsFirst)
  const type = kind === 'avg' ? 'ReduceMean' : 'ReduceMax'
  return appendToOutput(model, (builder, output) => {
    const keepdims = { int: 0 }
    return opsetOf(model) < AXES_AS_INPUT
      ? builder.node(type, [output], { axes: { ints: axes }, keepdims }, name)
      : builder.node(type, [output, builder.ints(`${OURS}/axes`, axes)], { keepdims }, name)
  })
}
