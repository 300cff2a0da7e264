// Owns the arithmetic of folding: BatchNormalization with fixed statistics is x * factor + offset for each
// channel (Ioffe & Szegedy 2015), here in float64, rounded to float32 once.
import type { EditableGraph, LayerJson, Weight } from './fold-batchnorm-graph.js'

/** One value a channel, float64. */
export interface Affine {
  readonly factor: Float64Array
  readonly offset: Float64Array
}

/** What a BatchNormalization does in inference; null where its statistics are missing. */
export const affineOf = (graph: EditableGraph, { name, config }: LayerJson): Affine | null => {
  const [mean, variance] = ['moving_mean', 'moving_variance'].map(
    (weight) => graph.weight(name, weight)?.values,
  )
  if (mean === undefined || variance === undefined) return null
  const [gamma, beta] = ['gamma', 'beta'].map((weight) => graph.weight(name, weight)?.values)
  const epsilon = typeof config.epsilon === 'number' ? config.epsilon : 1e-3
  const factor = Float64Array.from(
    variance,
    (value, i) => (gamma?.[i] ?? 1) / Math.sqrt(value + epsilon),
  )
  const offset = Float64Array.from(mean, (value, i) => (beta?.[i] ?? 0) - value * (factor[i] ?? 0))
  return { factor, offset }
}

const float32 = (values: Float64Array): Float32Array => Float32Array.from(values)

/** Which output channel the value at an index of a kernel belongs to. */
type ChannelOf = (index: number, shape: readonly number[]) => number

const last: ChannelOf = (index, shape) => index % (shape.at(-1) ?? 1)
/** [height, width, channels, multiplier]: the outputs of a channel lie side by side. */
const lastTwo: ChannelOf = (index, shape) => index % ((shape.at(-1) ?? 1) * (shape.at(-2) ?? 1))
/** [height, width, filters, channels]. */
const lastButOne: ChannelOf = (index, shape) =>
  Math.floor(index / (shape.at(-1) ?? 1)) % (shape.at(-2) ?? 1)

/** Layers that a normalisation behind them is folded into, and their kernel that makes the outputs. */
const KERNELS: Readonly<
  Record<string, { readonly weight: string; readonly channelOf: ChannelOf }>
> = {
  Dense: { weight: 'kernel', channelOf: last },
  Conv1D: { weight: 'kernel', channelOf: last },
  Conv2D: { weight: 'kernel', channelOf: last },
  Conv3D: { weight: 'kernel', channelOf: last },
  Conv2DTranspose: { weight: 'kernel', channelOf: lastButOne },
  DepthwiseConv2D: { weight: 'depthwise_kernel', channelOf: lastTwo },
  SeparableConv2D: { weight: 'pointwise_kernel', channelOf: last },
}

export const takesFactors = ({ class_name, config }: LayerJson): boolean =>
  Object.hasOwn(KERNELS, class_name) &&
  (config.activation ?? 'linear') === 'linear' &&
  (config.data_format ?? 'channels_last') === 'channels_last'

/** Gives the layer kernel and bias with which it computes what layer and normalisation computed. */
export const foldBehind = (graph: EditableGraph, layer: LayerJson, affine: Affine): boolean => {
  const kernel = KERNELS[layer.class_name]
  const before = kernel === undefined ? undefined : graph.weight(layer.name, kernel.weight)
  if (kernel === undefined || before === undefined) return false
  const { factor, offset } = affine
  const { shape, values } = before
  const bias = graph.weight(layer.name, 'bias')?.values
  graph.setWeight(layer.name, kernel.weight, {
    shape,
    values: values.map((value, i) => value * (factor[kernel.channelOf(i, shape)] ?? 0)),
  })
  graph.setWeight(layer.name, 'bias', {
    shape: [offset.length],
    values: float32(offset.map((value, i) => value + (bias?.[i] ?? 0) * (factor[i] ?? 0))),
  })
  return true
}

/** The same for a Dense layer that reads the normalisation: kernel [inputs, units]. */
export const foldBefore = (graph: EditableGraph, dense: LayerJson, affine: Affine): boolean => {
  const kernel = graph.weight(dense.name, 'kernel')
  if (kernel === undefined) return false
  const { factor, offset } = affine
  const units = kernel.shape[1] ?? 1
  const bias = new Float64Array(units)
  bias.set(graph.weight(dense.name, 'bias')?.values ?? [])
  const values = kernel.values.map((value, i) => {
    const input = Math.floor(i / units)
    const unit = i % units
    bias[unit] = (bias[unit] ?? 0) + value * (offset[input] ?? 0)
    return value * (factor[input] ?? 0)
  })
  graph.setWeight(dense.name, 'kernel', { shape: kernel.shape, values })
  graph.setWeight(dense.name, 'bias', { shape: [units], values: float32(bias) })
  return true
}

/** Weights of a 1 x 1 DepthwiseConv2D that computes the same. */
export const fixedWeights = ({
  factor,
  offset,
}: Affine): Record<'depthwise_kernel' | 'bias', Weight> => ({
  depthwise_kernel: { shape: [1, 1, factor.length, 1], values: float32(factor) },
  bias: { shape: [offset.length], values: float32(offset) },
})
