// Owns convolutions and dense layers. Kernels are written in ONNX's order of axes, biases into the node.
import type { Attributes } from '../../onnx/graph-builder.js'
import type { TensorValue } from '../tensor-value.js'
import { withActivation } from './activation.js'
import {
  type CompileLayer,
  inputOf,
  type LayerCall,
  requireSetting,
  weightOf,
} from './layer-call.js'
import { constantOf, permuted } from './weights.js'
import { perAxis, windowAttributes } from './window.js'

const biasOf = (call: LayerCall): string[] =>
  call.weight('bias') === undefined ? [] : [constantOf(call, 'bias', () => weightOf(call, 'bias'))]

const windowOf = (call: LayerCall, axes: number) => ({
  size: perAxis(call, 'kernelSize', axes),
  strides: perAxis(call, 'strides', axes),
  dilations: perAxis(call, 'dilationRate', axes),
})

/** A value with the channels first that the node gives. */
const made = (call: LayerCall, name: string): TensorValue => ({
  name,
  shape: call.outputShape,
  channelsFirst: true,
})

/** [...spatial, in, out] to [out, in, ...spatial]. */
const plainKernel = (call: LayerCall, axes: number): string =>
  constantOf(call, 'kernel', () => {
    const spatial = Array.from({ length: axes }, (_, i) => i)
    return permuted(weightOf(call, 'kernel'), [axes + 1, axes, ...spatial])
  })

const convolution =
  (axes: 1 | 2): CompileLayer =>
  (call) => {
    const x = call.layouts.channelsFirst(inputOf(call))
    requireSetting(call.settings, 'groups', 1)
    const attributes = windowAttributes(call, x.shape, windowOf(call, axes))
    const inputs = [x.name, plainKernel(call, axes), ...biasOf(call)]
    return withActivation(call, made(call, call.builder.node('Conv', inputs, attributes)))
  }

/** [h, w, in, multiplier] to [in * multiplier, 1, h, w]: every channel is a group. */
const depthwiseKernel = (call: LayerCall): { kernel: string; group: { int: number } } => {
  const { shape } = weightOf(call, 'depthwise_kernel')
  const [height = 0, width = 0, channels = 0, multiplier = 0] = shape
  const kernel = constantOf(call, 'depthwise_kernel', () => ({
    data: permuted(weightOf(call, 'depthwise_kernel'), [2, 3, 0, 1]).data,
    shape: [channels * multiplier, 1, height, width],
  }))
  return { kernel, group: { int: channels } }
}

const depthwise: CompileLayer = (call) => {
  const x = call.layouts.channelsFirst(inputOf(call))
  // TF.js ignores it, so what it computes is not what the author of the base meant.
  requireSetting(call.settings, 'dilationRate', [1, 1])
  const { kernel, group } = depthwiseKernel(call)
  const attributes = { ...windowAttributes(call, x.shape, windowOf(call, 2)), group }
  const y = call.builder.node('Conv', [x.name, kernel, ...biasOf(call)], attributes)
  return withActivation(call, made(call, y))
}

const separable: CompileLayer = (call) => {
  const x = call.layouts.channelsFirst(inputOf(call))
  const { kernel, group } = depthwiseKernel(call)
  const attributes = { ...windowAttributes(call, x.shape, windowOf(call, 2)), group }
  const apart = call.builder.node('Conv', [x.name, kernel], attributes)
  const pointwise = constantOf(call, 'pointwise_kernel', () =>
    permuted(weightOf(call, 'pointwise_kernel'), [3, 2, 0, 1]),
  )
  const y = call.builder.node('Conv', [apart, pointwise, ...biasOf(call)], {
    kernel_shape: { ints: [1, 1] },
  })
  return withActivation(call, made(call, y))
}

/** What TF.js cuts off the full result (`pads`), or adds to it where the window is less than the stride. */
const transposedPadding = (
  padding: string,
  size: readonly number[],
  strides: readonly number[],
): Attributes => {
  const rest = size.map((length, i) => length - (strides[i] as number))
  const totals = rest.map((value) => (padding === 'same' ? Math.max(0, value) : 0))
  const begins = totals.map((total) => Math.floor(total / 2))
  return {
    pads: { ints: [...begins, ...totals.map((total, i) => total - (begins[i] as number))] },
    output_padding: { ints: rest.map((value) => Math.max(0, -value)) },
  }
}

const transposed: CompileLayer = (call) => {
  const x = call.layouts.channelsFirst(inputOf(call))
  requireSetting(call.settings, 'dataFormat', 'channelsLast')
  requireSetting(call.settings, 'dilationRate', [1, 1])
  const size = perAxis(call, 'kernelSize', 2)
  const strides = perAxis(call, 'strides', 2)
  const kernel = constantOf(call, 'kernel', () => permuted(weightOf(call, 'kernel'), [3, 2, 0, 1]))
  const y = call.builder.node('ConvTranspose', [x.name, kernel, ...biasOf(call)], {
    kernel_shape: { ints: size },
    strides: { ints: strides },
    ...transposedPadding(call.settings.string('padding'), size, strides),
  })
  return withActivation(call, made(call, y))
}

/** Over the last axis, whatever the rank. */
const dense: CompileLayer = (call) => {
  const x = call.layouts.channelsLast(inputOf(call))
  const { builder } = call
  const kernel = constantOf(call, 'kernel', () => weightOf(call, 'kernel'))
  const bias = biasOf(call)
  const multiplied = (): string => {
    const product = builder.node('MatMul', [x.name, kernel])
    return bias.length === 0 ? product : builder.node('Add', [product, ...bias])
  }
  const y = x.shape.length === 2 ? builder.node('Gemm', [x.name, kernel, ...bias]) : multiplied()
  return withActivation(call, { name: y, shape: call.outputShape, channelsFirst: false })
}

export const CONVOLUTION_LAYERS: Readonly<Record<string, CompileLayer>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  DepthwiseConv2D: depthwise,
  SeparableConv2D: separable,
  Conv2DTranspose: transposed,
  Dense: dense,
}
