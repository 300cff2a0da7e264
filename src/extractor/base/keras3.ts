// Owns the translation of Keras 3 topologies to the Keras 2 words that TF.js layers reads.
// Applied when a base is loaded; what is stored and hashed stays as it was registered.

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

/** Keras 3: `[{args, kwargs}]` a node; Keras 2: `[[name, node, tensor, kwargs], ...]` a node. */
const translateNodes = (nodes: readonly Json[]): Json =>
  nodes.map((node) =>
    isObject(node) && 'args' in node
      ? historiesIn(node.args).map((history) => [...history, {}])
      : node,
  )

/** Keras 3 writes `['name', 0, 0]` for a single input or output, Keras 2 `[['name', 0, 0]]`. */
const translateEnds = (ends: Json): Json =>
  Array.isArray(ends) && typeof ends[0] === 'string' ? [ends] : ends

const translateMember = (key: string, value: Json): readonly [string, Json] => {
  if (key === 'batch_shape') return ['batch_input_shape', value]
  if (key === 'inbound_nodes' && Array.isArray(value)) return [key, translateNodes(value)]
  if (key === 'input_layers' || key === 'output_layers') return [key, translateEnds(value)]
  if (isDtypePolicy(value)) return [key, value.config.name]
  return [key, translate(value)]
}

const translate = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(translate)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => translateMember(key, member)),
  )
}

/** A LayersModel topology of Keras 2 or 3 in the words of Keras 2. */
export const toKeras2Topology = (topology: unknown): unknown => translate(topology)
