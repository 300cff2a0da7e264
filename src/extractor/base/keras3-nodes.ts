// Owns the calls of layers on each other: Keras 3 writes the arguments of each call, Keras 2 only where
// the inputs come from.
import { isObject, type Json, type JsonObject } from './keras3-json.js'

/** One call of a layer as Keras 2 writes it: `[name, node, tensor, kwargs]` of each input. */
export type Node = readonly Json[]

interface SymbolicTensor {
  /** `[layer name, node index, tensor index]` */
  readonly history: readonly Json[]
  readonly shape: Json
}

/** Every symbolic tensor among the arguments of a call, in order. */
export const tensorsIn = (value: Json): SymbolicTensor[] => {
  if (Array.isArray(value)) return value.flatMap(tensorsIn)
  if (!isObject(value)) return []
  const { config } = value
  if (value.class_name === '__keras_tensor__' && isObject(config)) {
    const history = config.keras_history
    return Array.isArray(history) ? [{ history, shape: config.shape }] : []
  }
  return Object.values(value).flatMap(tensorsIn)
}

/** Names of the models among the layers of the model at hand. */
export type NestedNames = ReadonlySet<Json>

export const nestedNamesIn = (layers: readonly Json[]): NestedNames =>
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
export const translateNodes = (nodes: readonly Json[], nested: NestedNames): Json[] =>
  nodes.map((node) =>
    isObject(node) && 'args' in node
      ? tensorsIn(node.args).map(({ history }) => [...translateHistory(history, nested), {}])
      : node,
  )

/** Keras 3 writes `['name', 0, 0]` for a single input or output, Keras 2 `[['name', 0, 0]]`. */
export const translateEnds = (ends: readonly Json[], nested: NestedNames): Json =>
  (typeof ends[0] === 'string' ? [ends] : ends).map((end) =>
    Array.isArray(end) ? translateHistory(end, nested) : end,
  )
