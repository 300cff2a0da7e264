// Owns convolutions, plain and depthwise, with the bias and the activation that converters fuse into
// them. Their results have channels first, so that a chain of them needs no Transpose.

import { type Dimension, fixed, sizeOf } from './dimension.js'
import { fusedActivation } from './fused.js'
import { type Compile, floatInput, type Operation, write } from './operation.js'
import { demand, refuse } from './refusal.js'
import type { Float } from './value.js'
import { readWindow, slide, windowAttributes } from './window.js'
import { computed } from './writer.js'

interface Kernel {
  readonly height: number
  readonly width: number
  readonly inputs: number
  /** Outputs; of a depthwise convolution, those of each input. */
  readonly outputs: number
}

const kernelOf = ({ dims }: Float): Kernel => {
  const [height, width, inputs, outputs, ...more] = dims.map(sizeOf)
  if (!height || !width || !inputs || !outputs || more.length > 0)
    return refuse('a kernel of unknown shape')
  return { height, width, inputs, outputs }
}

/** [height, width, inputs, outputs] to the order and the shape that Conv takes. */
const writeKernel = (
  operation: Operation,
  filter: Float,
  order: readonly number[],
  dims: readonly number[],
): string => {
  if (filter.kind === 'constant') return operation.writer.weight(filter, { order, dims })
  const { name } = operation.writer.last(filter)
  const turned = write(operation, 'Transpose', [name], { perm: { ints: order } })
  return write(operation, 'Reshape', [turned, operation.writer.ints(dims)])
}

const biasOf = (operation: Operation, bias: Float, channels: number): string => {
  const [size, ...more] = bias.dims.map(sizeOf)
  demand(size === channels && more.length === 0, 'a bias of another shape')
  return operation.writer.last(bias).name
}

const assertChannels = (channels: Dimension | undefined, kernel: Kernel): void => {
  demand(
    channels !== undefined && sizeOf(channels) === kernel.inputs,
    'a kernel for other channels',
  )
}

const convolve = (operation: Operation, depthwise: boolean, bias?: Float): Float => {
  const { writer } = operation
  const [x, filter] = [floatInput(operation, 0), floatInput(operation, 1)]
  const [batch, height, width, channels, ...more] = x.dims
  if (batch === undefined || height === undefined || width === undefined || more.length > 0)
    return refuse('an input that is no batch of images')
  const kernel = kernelOf(filter)
  assertChannels(channels, kernel)
  const window = readWindow(operation, [kernel.height, kernel.width])
  const outputs = depthwise ? kernel.inputs * kernel.outputs : kernel.outputs
  const weights = depthwise
    ? writeKernel(operation, filter, [2, 3, 0, 1], [outputs, 1, kernel.height, kernel.width])
    : writeKernel(
        operation,
        filter,
        [3, 2, 0, 1],
        [outputs, kernel.inputs, kernel.height, kernel.width],
      )
  const spatial = slide(window, height, width, writer.symbols.derived)
  const inputs = [writer.first(x).name, weights]
  if (bias !== undefined) inputs.push(biasOf(operation, bias, outputs))
  const name = write(operation, 'Conv', inputs, {
    ...windowAttributes(window, height, width),
    group: { int: depthwise ? kernel.inputs : 1 },
  })
  return computed(name, [batch, ...spatial, fixed(outputs)], true)
}

const convolution =
  (depthwise: boolean): Compile =>
  (operation) =>
    convolve(operation, depthwise)

const fusedConvolution =
  (depthwise: boolean): Compile =>
  (operation) =>
    fusedActivation(operation, depthwise ? 'no slope' : 'slope', (bias) =>
      convolve(operation, depthwise, bias),
    )

export const CONVOLUTIONS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['Conv2D', convolution(false)],
  ['DepthwiseConv2dNative', convolution(true)],
  ['_FusedConv2D', fusedConvolution(false)],
  ['FusedDepthwiseConv2dNative', fusedConvolution(true)],
])
