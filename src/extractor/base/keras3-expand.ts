// Owns layers and operations of Keras 3 that TF.js lacks, written as layers that every TF.js has, so
// that an exported model loads anywhere. The last of them bears the name of the original.
import { type Json, type JsonObject, refuse } from './keras3-json.js'
import { tensorsIn } from './keras3-nodes.js'
import { OPERATIONS } from './keras3-operations.js'
import {
  addScaled,
  callsOf,
  type Expand,
  hardSigmoid,
  hardSilu,
  type Keras3Layer,
  renamed,
  rescaled,
  written,
} from './keras3-parts.js'

const activation: Expand = (layer) => {
  const name = layer.config.activation
  if (name === 'hard_sigmoid') return hardSigmoid(layer, layer.name)
  if (name === 'hard_silu' || name === 'hard_swish') return hardSilu(layer)
  return undefined
}

const relu: Expand = (layer) => {
  const { negative_slope: slope, threshold, max_value: max } = layer.config
  if (!slope && !threshold) return undefined
  if (!threshold && max == null) return renamed('LeakyReLU', { alpha: slope })(layer)
  if (!slope && max == null) return renamed('ThresholdedReLU', { theta: threshold })(layer)
  return refuse('ReLU with a slope or a threshold beside another setting')
}

const leakyRelu: Expand = (layer) => {
  const { negative_slope: slope, ...config } = layer.config
  return slope === undefined
    ? undefined
    : [written('LeakyReLU', layer.name, { ...config, alpha: slope }, layer.nodes)]
}

/** TF.js always drops the spatial axes. */
const keptAxes: Expand = (layer) => {
  const { keepdims, ...config } = layer.config
  if (keepdims !== true) return undefined
  const shape = tensorsIn(layer.original.inbound_nodes)[0]?.shape
  const channels = Array.isArray(shape) ? shape.at(-1) : undefined
  if (typeof channels !== 'number' || config.data_format === 'channels_first')
    return refuse(`${layer.className} with keepdims where its channels are not written`)
  const pooled = layer.fresh('flat')
  const ones = (shape as Json[]).slice(1, -1).map(() => 1)
  return [
    written(layer.className, pooled, { ...config, name: pooled }, layer.nodes),
    written('Reshape', layer.name, { target_shape: [...ones, channels] }, callsOf(pooled, layer)),
  ]
}

const isNumbers = (value: Json): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'number')

/** What Keras adds nothing to, but divides by where a deviation is less. */
const LEAST_DEVIATION = 1e-7

/**
 * With statistics in its config it is a Rescaling; with weights it is a BatchNormalization without
 * scale, center and epsilon, whose weights have other names.
 */
const normalization: Expand = (layer) => {
  const { axis, invert, mean, variance } = layer.config
  const [channels, ...others] = Array.isArray(axis) ? axis : [axis]
  const shape = tensorsIn(layer.original.inbound_nodes)[0]?.shape
  const last = Array.isArray(shape) ? shape.length - 1 : -1
  if (invert === true || others.length > 0 || (channels !== -1 && channels !== last))
    return refuse('Normalization that is inverted or along other axes than the last')
  if (mean == null && variance == null)
    return [
      written(
        'BatchNormalization',
        layer.name,
        { axis: -1, epsilon: 0, scale: false, center: false },
        layer.nodes,
      ),
    ]
  if (!isNumbers(mean) || !isNumbers(variance) || mean.length !== variance.length)
    return refuse('Normalization whose mean and variance are no lists of one length')
  const scale = variance.map((value) => 1 / Math.max(Math.sqrt(value), LEAST_DEVIATION))
  return rescaled(
    layer,
    scale,
    mean.map((value, i) => -value * (scale[i] as number)),
  )
}

const LAYERS: Readonly<Record<string, Expand>> = {
  Activation: activation,
  ReLU: relu,
  LeakyReLU: leakyRelu,
  GlobalAveragePooling1D: keptAxes,
  GlobalAveragePooling2D: keptAxes,
  GlobalMaxPooling1D: keptAxes,
  GlobalMaxPooling2D: keptAxes,
  Normalization: normalization,
  // Of InceptionResNetV2.
  CustomScaleLayer: (layer) => addScaled(layer, layer.config.scale),
  Subtract: (layer) => addScaled(layer, -1),
  // All of them give their input in prediction.
  ActivityRegularization: renamed('Activation', { activation: 'linear' }),
  SpatialDropout2D: renamed('Dropout'),
}

/** @throws BASE_LAYER_UNKNOWN */
export const expandLayer = (layer: Keras3Layer): JsonObject[] | undefined => {
  const isOperation = String(layer.original.module).startsWith('keras.src.ops')
  const table = isOperation ? OPERATIONS : LAYERS
  if (Object.hasOwn(table, layer.className)) return table[layer.className]?.(layer)
  return isOperation ? refuse(`the operation ${layer.className}`) : undefined
}
