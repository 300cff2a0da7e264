// Owns the pieces that stand for what TF.js lacks of Keras 3: single layers of Keras 2, and functions of
// several layers that both a layer and an operation of Keras 3 can be. The last bears the original's name.
import { type Json, type JsonObject, refuse } from './keras3-json.js'
import type { Node } from './keras3-nodes.js'

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
export type Expand = (layer: Keras3Layer) => JsonObject[] | undefined

export const written = (
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
export const callsOf = (name: string, { nodes }: Keras3Layer): readonly Node[] | undefined =>
  nodes?.map((_, i) => [[name, i, 0, {}]])

export const renamed =
  (className: string, config: JsonObject = {}): Expand =>
  (layer) => [written(className, layer.name, { ...layer.config, ...config }, layer.nodes)]

export const rescaled = (layer: Keras3Layer, scale: Json, offset: Json): JsonObject[] => [
  written('Rescaling', layer.name, { scale, offset }, layer.nodes),
]

// relu6(x + 3) / 6
const HARD_SIGMOID = { scale: 1 / 6, offset: 0.5 }

export const hardSigmoid = (layer: Keras3Layer, name: string): JsonObject[] => {
  const line = layer.fresh('line')
  return [
    written('Rescaling', line, HARD_SIGMOID, layer.nodes),
    written('ReLU', name, { max_value: 1 }, callsOf(line, layer)),
  ]
}

export const hardSilu = (layer: Keras3Layer): JsonObject[] => {
  const { nodes } = layer
  if (nodes === undefined) return refuse('the activation hard_silu in a Sequential')
  const gate = layer.fresh('gate')
  const gated = nodes.map((node, i) => [...node, [gate, i, 0, {}]])
  return [...hardSigmoid(layer, gate), written('Multiply', layer.name, {}, gated)]
}

/** a + scale * b */
export const addScaled = (layer: Keras3Layer, scale: Json): JsonObject[] => {
  const { nodes, className, name } = layer
  if (nodes === undefined || nodes.some((node) => node.length !== 2))
    return refuse(`${className} without two inputs`)
  const scaled = layer.fresh('scaled')
  const second = nodes.map(([, b]) => [b])
  const sums = nodes.map(([a], i) => [a, [scaled, i, 0, {}]])
  return [
    written('Rescaling', scaled, { scale, offset: 0 }, second),
    written('Add', name, {}, sums),
  ]
}
