// Owns layers and operations of Keras 3 that TF.js lacks, written as layers that every TF.js has, so
// that an exported model loads anywhere. The last of them bears the name of the original.
import { isObject, type Json, type JsonObject, refuse } from './keras3-json.js'
import { type Node, tensorsIn } from './keras3-nodes.js'

/** One layer of a model, its calls in Keras 2's words. */
export interface Keras3Layer {
  readonly className: string
  readonly name: string
  readonly config: JsonObject
  /** Undefined in a Sequential. */
  readonly nodes: readonly Node[] | undefined
  /** As Keras 3 wrote it. */
  readonly original: JsonObject
  /** A name made of the layer's that no layer of the model has. */
  fresh(suffix: string): string
}

/** What stands for a layer; undefined: the layer stands for itself. */
type Expand = (layer: Keras3Layer) => JsonObject[] | undefined

const written = (
  className: string,
  name: string,
  config: JsonObject,
  nodes: readonly Node[] | undefined,
): JsonObject => ({
  class_name: className,
  name,
  config: { name, trainable: true, dtype: 'float32', ...config },
  ...(nodes === undefined ? {} : { inbound_nodes: nodes }),
})

/** Where the calls of the layer before come from. */
const callsOf = (name: string, { nodes }: Keras3Layer): readonly Node[] | undefined =>
  nodes?.map((_, i) => [[name, i, 0, {}]])

const renamed =
  (className: string, config: JsonObject = {}): Expand =>
  (layer) => [written(className, layer.name, { ...layer.config, ...config }, layer.nodes)]

const rescaled = (layer: Keras3Layer, scale: Json, offset: Json): JsonObject[] => [
  written('Rescaling', layer.name, { scale, offset }, layer.nodes),
]

// relu6(x + 3) / 6
const HARD_SIGMOID = { scale: 1 / 6, offset: 0.5 }

const hardSigmoid = (layer: Keras3Layer, name: string): JsonObject[] => {
  const line = layer.fresh('line')
  return [
    written('Rescaling', line, HARD_SIGMOID, layer.nodes),
    written('ReLU', name, { max_value: 1 }, callsOf(line, layer)),
  ]
}

const hardSilu = (layer: Keras3Layer): JsonObject[] => {
  const { nodes } = layer
  if (nodes === undefined) return refuse('the activation hard_silu in a Sequential')
  const gate = layer.fresh('gate')
  const gated = nodes.map((node, i) => [...node, [gate, i, 0, {}]])
  return [...hardSigmoid(layer, gate), written('Multiply', layer.name, {}, gated)]
}

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

/** a + scale * b, in InceptionResNetV2. */
const customScale: Expand = (layer) => {
  const { nodes, config } = layer
  if (nodes === undefined || nodes.some((node) => node.length !== 2))
    return refuse('CustomScaleLayer without two inputs')
  const scaled = layer.fresh('scaled')
  return [
    written(
      'Rescaling',
      scaled,
      { scale: config.scale, offset: 0 },
      nodes.map(([, b]) => [b]),
    ),
    written(
      'Add',
      layer.name,
      {},
      nodes.map(([a], i) => [a, [scaled, i, 0, {}]]),
    ),
  ]
}

const subtract: Expand = (layer) => {
  const { nodes } = layer
  if (nodes === undefined || nodes.some((node) => node.length !== 2))
    return refuse('Subtract without two inputs')
  const negative = layer.fresh('negative')
  return [
    written(
      'Rescaling',
      negative,
      { scale: -1, offset: 0 },
      nodes.map(([, b]) => [b]),
    ),
    written(
      'Add',
      layer.name,
      {},
      nodes.map(([a], i) => [a, [negative, i, 0, {}]]),
    ),
  ]
}

/** The arguments of the only call of an operation: numbers, and null for each tensor. */
const operandsOf = (layer: Keras3Layer): (number | null)[] => {
  const calls = layer.original.inbound_nodes
  const [call, ...others] = Array.isArray(calls) ? calls : []
  const { args, kwargs } = isObject(call) ? call : {}
  const strange = others.length > 0 || (isObject(kwargs) && Object.keys(kwargs).length > 0)
  if (strange || !Array.isArray(args)) return refuse(`the way that ${layer.name} is called`)
  return args.map((value: Json) => {
    if (typeof value === 'number') return value
    if (tensorsIn([value]).length !== 1) return refuse(`an argument of ${layer.name}`)
    return null
  })
}

type Rescale = (number: number) => { scale: number; offset: number } | undefined

/** An operation on a tensor and a number on either side; `both`: on two tensors. */
const arithmetic =
  (right: Rescale, left: Rescale, both: Expand): Expand =>
  (layer) => {
    const [a, b, ...others] = operandsOf(layer)
    if (a === undefined || b === undefined || others.length > 0)
      return refuse(`the operation ${layer.className} on other than two operands`)
    if (a === null && b === null) return both(layer)
    const line = a === null ? right(b as number) : left(a)
    if (line === undefined) return refuse(`the operation ${layer.className} in ${layer.name}`)
    return rescaled(layer, line.scale, line.offset)
  }

const plus: Rescale = (offset) => ({ scale: 1, offset })
const times: Rescale = (scale) => ({ scale, offset: 0 })
const divided = arithmetic(
  (number) => ({ scale: 1 / number, offset: 0 }),
  () => undefined,
  (layer) => refuse(`the operation ${layer.className} on two tensors`),
)
const activated = (name: string): Expand => renamed('Activation', { activation: name })

const OPERATIONS: Readonly<Record<string, Expand>> = {
  Add: arithmetic(plus, plus, renamed('Add')),
  Subtract: arithmetic(
    (offset) => ({ scale: 1, offset: -offset }),
    (offset) => ({ scale: -1, offset }),
    subtract,
  ),
  Multiply: arithmetic(times, times, renamed('Multiply')),
  Divide: divided,
  TrueDivide: divided,
  Maximum: (layer) =>
    operandsOf(layer).every((it) => it === null)
      ? renamed('Maximum')(layer)
      : refuse('the operation Maximum with a number'),
  Negative: (layer) => rescaled(layer, -1, 0),
  Relu: activated('relu'),
  Relu6: activated('relu6'),
  Sigmoid: activated('sigmoid'),
  Silu: activated('swish'),
  Tanh: activated('tanh'),
  HardSigmoid: (layer) => hardSigmoid(layer, layer.name),
  HardSilu: hardSilu,
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
  CustomScaleLayer: customScale,
  Subtract: subtract,
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
