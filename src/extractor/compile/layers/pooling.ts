// Owns poolings. An average never counts padding, in TF.js as in ONNX.
import { type CompileLayer, inputOf, requireSetting, UnsupportedSetting } from './layer-call.js'
import { perAxis, windowAttributes } from './window.js'

const sliding =
  (opType: 'MaxPool' | 'AveragePool', axes: 1 | 2): CompileLayer =>
  (call) => {
    const x = call.layouts.channelsFirst(inputOf(call))
    const attributes = windowAttributes(call, x.shape, {
      size: perAxis(call, 'poolSize', axes),
      strides: perAxis(call, 'strides', axes),
      dilations: new Array<number>(axes).fill(1),
    })
    const name = call.builder.node(opType, [x.name], attributes)
    return { name, shape: call.outputShape, channelsFirst: true }
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
  MaxPooling1D: sliding('MaxPool', 1),
  MaxPooling2D: sliding('MaxPool', 2),
  AveragePooling1D: sliding('AveragePool', 1),
  AveragePooling2D: sliding('AveragePool', 2),
  GlobalAveragePooling1D: global('Average'),
  GlobalAveragePooling2D: global('Average'),
  GlobalMaxPooling1D: global('Max'),
  GlobalMaxPooling2D: global('Max'),
}
