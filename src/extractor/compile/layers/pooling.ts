// Owns poolings. An average never counts padding, in TF.js as in ONNX.
import type { Attributes } from '../../onnx/graph-builder.js'
import type { TensorValue } from '../tensor-value.js'
import {
  type CompileLayer,
  inputOf,
  type LayerCall,
  requireSetting,
  UnsupportedSetting,
} from './layer-call.js'
import { perAxis, windowAttributes } from './window.js'

const slidingAttributes = (call: LayerCall, x: TensorValue, axes: number): Attributes =>
  windowAttributes(call, x.shape, {
    size: perAxis(call, 'poolSize', axes),
    strides: perAxis(call, 'strides', axes),
    dilations: new Array<number>(axes).fill(1),
  })

const average =
  (axes: 1 | 2): CompileLayer =>
  (call) => {
    const x = call.layouts.channelsFirst(inputOf(call))
    const name = call.builder.node('AveragePool', [x.name], slidingAttributes(call, x, axes))
    return { name, shape: call.outputShape, channelsFirst: true }
  }

/**
 * onnxruntime merges a padding with zeros into the pooling after it, which then takes the padding for
 * minus infinity: wrong where values are negative. It leaves alone a pooling that says `auto_pad`; what
 * that cannot say is kept apart from a padding by a leaky ReLU of slope 1, which gives its input.
 */
const max =
  (axes: 1 | 2): CompileLayer =>
  (call) => {
    const { builder, layouts, outputShape: shape } = call
    const x = layouts.channelsFirst(inputOf(call))
    const { pads, ...rest } = slidingAttributes(call, x, axes)
    const pool = (input: string, attributes: Attributes): TensorValue => ({
      name: builder.node('MaxPool', [input], attributes),
      shape,
      channelsFirst: true,
    })
    if (pads === undefined) return pool(x.name, { auto_pad: { string: 'VALID' }, ...rest })
    const strides = perAxis(call, 'strides', axes)
    const jumps = perAxis(call, 'poolSize', axes).some((size, i) => size < (strides[i] as number))
    if (!jumps) return pool(x.name, { auto_pad: { string: 'SAME_UPPER' }, ...rest })
    const apart = builder.node('LeakyRelu', [x.name], { alpha: { float: 1 } })
    return pool(apart, { pads, ...rest })
  }

/** Of all spatial positions: [batch, channels]. */
const global =
  (kind: 'Average' | 'Max'): CompileLayer =>
  (call) => {
    const { builder, outputShape, settings } = call
    const x = inputOf(call)
    requireSetting(settings, 'dataFormat', 'channelsLast')
    if (outputShape.length !== 2) throw new UnsupportedSetting(`shape ${outputShape}`)
    const pooled = (): string => {
      if (x.channelsFirst)
        return builder.node('Flatten', [builder.node(`Global${kind}Pool`, [x.name])])
      const axes = x.shape.slice(2).map((_, i) => i + 1)
      return builder.node(kind === 'Max' ? 'ReduceMax' : 'ReduceMean', [x.name], {
        axes: { ints: axes },
        keepdims: { int: 0 },
      })
    }
    return { name: pooled(), shape: outputShape, channelsFirst: false }
  }

export const POOLING_LAYERS: Readonly<Record<string, CompileLayer>> = {
  MaxPooling1D: max(1),
  MaxPooling2D: max(2),
  AveragePooling1D: average(1),
  AveragePooling2D: average(2),
  GlobalAveragePooling1D: global('Average'),
  GlobalAveragePooling2D: global('Average'),
  GlobalMaxPooling1D: global('Max'),
  GlobalMaxPooling2D: global('Max'),
}
