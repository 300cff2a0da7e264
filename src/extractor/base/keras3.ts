// Owns the translation of Keras 3 topologies to the Keras 2 words that TF.js layers reads.
// Applied when a base or a head is loaded; what is stored and hashed stays as it was registered. Refuses what
// TF.js would load and compute otherwise than Keras 3.
import { HeadstartError } from '../../errors.js'

type Json = unknown
type JsonObject = { readonly [key: string]: Json }

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `{class_name: 'DTypePolicy', config: {name: 'float32'}}` is the Keras 3 form of `'float32'`. */
const isDtypePolicy = (value: Json): value is { config: { name: string } } =>
  isObject(value) &&
  value.class_name === 'DTypePolicy' &&
  isObject(value.config) &&
  typeof value.config.name === 'string'

/** `[layer name, node index, tensor index]` of every symbolic tensor among the call arguments. */
const historiesIn = (value: Json): Json[][] => {
  if (Array.isArray(value)) return value.flatMap(historiesIn)
  if (!isObject(value)) return []
  const config = value.config
  if (value.class_name === '__keras_tensor__' && isObject(config)) {
    const history = config.keras_history
    return Array.isArray(history) ? [history] : []
  }
  return Object.values(value).flatMap(historiesIn)
}

/** Names of the models among the layers of the model at hand. */
type NestedNames = ReadonlySet<Json>

const nestedNamesIn = (layers: readonly Json[]): NestedNames =>
  new Set(
    layers
      .map((layer) => (isObject(layer) ? layer.config : undefined))
      .filter((config) => isObject(config) && Array.isArray(config.layers))
      .map((config) => (config as JsonObject).name),
  )

/** In Keras 2 a nested model has a first node of its own, so that its calls count from 1. */
const translateHistory = ([name, node, tensor]: readonly Json[], nested: NestedNames): Json[] => [
  name,
  nested.has(name) ? Number(node) + 1 : node,
  tensor,
]

/** Keras 3: `[{args, kwargs}]` a node; Keras 2: `[[name, node, tensor, kwargs], ...]` a node. */
const translateNodes = (nodes: readonly Json[], nested: NestedNames): Json =>
  nodes.map((node) =>
    isObject(node) && 'args' in node
      ? historiesIn(node.args).map((history) => [...translateHistory(history, nested), {}])
      : node,
  )

/** Keras 3 writes `['name', 0, 0]` for a single input or output, Keras 2 `[['name', 0, 0]]`. */
const translateEnds = (ends: readonly Json[], nested: NestedNames): Json =>
  (typeof ends[0] === 'string' ? [ends] : ends).map((end) =>
    Array.isArray(end) ? translateHistory(end, nested) : end,
  )

const refuse = (what: string): never => {
  throw new HeadstartError('BASE_LAYER_UNKNOWN', `TF.js does not know ${what} of Keras 3`)
}

/** TF.js calls silu swish; its hardSigmoid is that of Keras 2, another function. */
const translateActivation = (activation: Json): Json => {
  if (activation === 'hard_sigmoid') return refuse('the activation hard_sigmoid')
  return activation === 'silu' ? 'swish' : activation
}

/** TF.js knows both penalties only as the two of L1L2. */
const translateRegularizer = (regularizer: JsonObject): JsonObject => {
  const { class_name: className, config } = regularizer
  if ((className !== 'L1' && className !== 'L2') || !isObject(config)) return regularizer
  return { ...regularizer, class_name: 'L1L2', config: { l1: 0, l2: 0, ...config } }
}

const translateConfig = (className: Json, config: JsonObject): JsonObject => {
  const { negative_slope: slope, threshold, ...rest } = config
  if (className === 'LeakyReLU') return slope === undefined ? config : { ...rest, alpha: slope }
  if (className === 'ReLU' && (slope || threshold))
    return refuse('ReLU with a negative slope or a threshold')
  return config
}

const translateMember = (
  key: string,
  value: Json,
  nested: NestedNames,
): readonly [string, Json] => {
  if (key === 'batch_shape') return ['batch_input_shape', value]
  if (key.endsWith('activation') && typeof value === 'string')
    return [key, translateActivation(value)]
  if (key.endsWith('_regularizer') && isObject(value)) return [key, translateRegularizer(value)]
  if (isDtypePolicy(value)) return [key, value.config.name]
  if (!Array.isArray(value)) return [key, translate(value, nested)]
  if (key === 'inbound_nodes') return [key, translateNodes(value, nested)]
  if (key === 'input_layers' || key === 'output_layers') return [key, translateEnds(value, nested)]
  return [key, translate(value, nested)]
}

const translate = (value: Json, nested: NestedNames): Json => {
  if (Array.isArray(value)) return value.map((item) => translate(item, nested))
  if (!isObject(value)) return value
  const { class_name: className, config, layers } = value
  const inside = Array.isArray(layers) ? nestedNamesIn(layers) : nested
  const translated = isObject(config)
    ? { ...value, config: translateConfig(className, config) }
    : value
  return Object.fromEntries(
    Object.entries(translated).map(([key, member]) => translateMember(key, member, inside)),
  )
}

/** Keras 2 writes `batch_input_shape` in an input layer, and no Keras 3 model is without one. */
const isKeras3 = (value: Json): boolean =>
  Array.isArray(value)
    ? value.some(isKeras3)
    : isObject(value) && ('batch_shape' in value || Object.values(value).some(isKeras3))

/** A LayersModel topology of Keras 2 or 3 in the words of Keras 2. */
export const toKeras2Topology = (topology: unknown): unknown =>
  isKeras3(topology) ? translate(topology, new Set()) : topology
