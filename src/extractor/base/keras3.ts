// Owns the translation of Keras 3 topologies to the Keras 2 words that TF.js layers reads.
// Applied when a base or a head is loaded; what is stored and hashed stays as it was registered. Refuses what
// TF.js would load and compute otherwise than Keras 3.
import { assertKnownConfig, translateConfigMember } from './keras3-config.js'
import { expandLayer } from './keras3-expand.js'
import { isObject, type Json, type JsonObject, refuse } from './keras3-json.js'
import { nestedNamesIn, translateEnds, translateNodes } from './keras3-nodes.js'

/** What a layer needs to know of the model that it stands in. */
interface Surroundings {
  readonly nested: ReturnType<typeof nestedNamesIn>
  /** Names of the model's layers; those that the translation adds are added. */
  readonly taken: Set<Json>
}

const freshName = (taken: Set<Json>, name: string): string => {
  let fresh = name
  for (let i = 1; taken.has(fresh); i += 1) fresh = `${name}_${i}`
  taken.add(fresh)
  return fresh
}

const nameOf = (layer: JsonObject): string =>
  String((isObject(layer.config) && layer.config.name) ?? layer.name)

/** The layers of TF.js that stand for a layer, with config members still in the words of Keras 3. */
const standIns = (layer: JsonObject, { nested, taken }: Surroundings): JsonObject[] => {
  const { class_name: className, config, inbound_nodes: calls } = layer
  if (typeof className !== 'string' || !isObject(config)) return [layer]
  assertKnownConfig(className, config)
  const nodes = Array.isArray(calls) ? translateNodes(calls, nested) : undefined
  const name = nameOf(layer)
  const expanded = expandLayer({
    className,
    name,
    config,
    nodes: nodes as readonly Json[][] | undefined,
    original: layer,
    fresh: (suffix) => freshName(taken, `${name}_${suffix}`),
  })
  return expanded ?? [nodes === undefined ? layer : { ...layer, inbound_nodes: nodes }]
}

const translateLayers = (layers: readonly Json[]): Json[] => {
  const names = layers.filter(isObject).map(nameOf)
  const surroundings = { nested: nestedNamesIn(layers), taken: new Set<Json>(names) }
  return layers
    .flatMap((layer) => (isObject(layer) ? standIns(layer, surroundings) : [layer]))
    .map((layer) => (isObject(layer) ? translateMembers(layer, surroundings) : layer))
}

const translateMember = (
  key: string,
  value: Json,
  surroundings: Surroundings,
): readonly [string, Json] => {
  const translated = translateConfigMember(key, value)
  if (translated !== undefined) return translated
  if (key === 'inbound_nodes') return [key, value]
  if (!Array.isArray(value)) return [key, translate(value, surroundings)]
  if (key === 'layers') return [key, translateLayers(value)]
  if (key === 'input_layers' || key === 'output_layers')
    return [key, translateEnds(value, surroundings.nested)]
  return [key, translate(value, surroundings)]
}

const translateMembers = (value: JsonObject, around: Surroundings): JsonObject => {
  const { layers } = value
  const inside = Array.isArray(layers) ? { ...around, nested: nestedNamesIn(layers) } : around
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => translateMember(key, member, inside)),
  )
}

/** A layer inside of another (a wrapper's) must stay one. */
const translate = (value: Json, surroundings: Surroundings): Json => {
  if (Array.isArray(value)) return value.map((item) => translate(item, surroundings))
  if (!isObject(value)) return value
  const [layer, ...others] = standIns(value, surroundings)
  if (layer === undefined || others.length > 0)
    return refuse(`${String(value.class_name)} inside of another layer`)
  return translateMembers(layer, surroundings)
}

/** Keras 2 writes `batch_input_shape` in an input layer, and no Keras 3 model is without one. */
export const isKeras3 = (value: Json): boolean =>
  Array.isArray(value)
    ? value.some(isKeras3)
    : isObject(value) && ('batch_shape' in value || Object.values(value).some(isKeras3))

/** A LayersModel topology of Keras 2 or 3 in the words of Keras 2. */
export const toKeras2Topology = (topology: unknown): unknown =>
  isKeras3(topology) ? translate(topology, { nested: new Set(), taken: new Set() }) : topology
