// Owns turning a topology into a LayersModel that can be trusted: bounded, known classes, repeatable.
// Refuses unknown layer classes, too many layers or parameters, and layers whose results cannot be
// repeated. Every initial weight is zero here; initial.ts draws them.
import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, type LayerVariable, layers, models } from '@tensorflow/tfjs-layers'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { toKeras2Topology } from '../extractor/base/keras3.js'

const MAX_PARAMETERS = 100_000_000
const MAX_LAYERS = 1000

/** These draw from the ambient generator, which cannot be seeded. */
const UNREPEATABLE = new Set(['GaussianNoise', 'GaussianDropout', 'AlphaDropout', 'RandomWidth'])

interface LayerJson {
  readonly class_name: string
  readonly config: Readonly<Record<string, unknown>>
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const isLayerJson = (value: unknown): value is LayerJson & Record<string, unknown> =>
  isRecord(value) && typeof value.class_name === 'string' && isRecord(value.config)

const LAYER_KEYS = new Set(['layers', 'layer', 'cell', 'cells'])

/** Every layer of a topology, nested and wrapped ones too. */
const layerConfigsOf = (value: unknown): LayerJson[] => {
  if (Array.isArray(value)) return value.flatMap(layerConfigsOf)
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, child]) => {
    const held = LAYER_KEYS.has(key) ? [child].flat().filter(isLayerJson) : []
    return [...held, ...layerConfigsOf(child)]
  })
}

const positive = (value: unknown): boolean => typeof value === 'number' && value > 0

const faultOfLayer = ({ class_name, config }: LayerJson): string | null => {
  const name = typeof config.name === 'string' ? `${class_name} "${config.name}"` : class_name
  if (!(class_name in tf.serialization.SerializationMap.getMap().classNameMap)) {
    return `unknown layer class ${class_name}`
  }
  if (UNREPEATABLE.has(class_name)) return `${name}: its noise cannot be seeded, so no run repeats`
  if (positive(config.recurrent_dropout) || positive(config.dropout)) {
    return `${name}: recurrent dropout cannot be seeded; use a Dropout layer`
  }
  if (config.stateful === true) return `${name}: a stateful layer depends on how rows are batched`
  if (class_name === 'BatchNormalization') {
    if (config.scale === false || config.center === false) {
      return `${name}: TF.js cannot train it without scale and center`
    }
    if (config.trainable === false) {
      return `${name}: TF.js does not freeze it (it would use and update batch statistics)`
    }
  }
  return null
}

const assertTopology = (topology: Readonly<Record<string, unknown>>): void => {
  if ('modelTopology' in topology) {
    throw new HeadstartError(
      'HEAD_INVALID',
      'the topology is a whole model.json: give its "modelTopology"',
    )
  }
  const found = layerConfigsOf(topology)
  if (found.length > MAX_LAYERS) {
    throw new HeadstartError(
      'HEAD_INVALID',
      `the head has ${found.length} layers, more than ${MAX_LAYERS}`,
    )
  }
  const faults = found.map(faultOfLayer).filter((fault) => fault !== null)
  if (faults.length > 0) {
    throw new HeadstartError('HEAD_INVALID', `the head cannot be used: ${faults[0]}`, {
      details: faults,
    })
  }
}

interface Initializer {
  apply(shape: number[], dtype?: tf.DataType): tf.Tensor
}
type AddWeight = (
  this: unknown,
  name: string,
  shape: number[],
  dtype: tf.DataType | undefined,
  initializer: Initializer,
  ...rest: unknown[]
) => LayerVariable

/** A built model and every variable that it made. `dispose` frees them all. */
export interface OwnedModel {
  readonly model: LayersModel
  readonly dispose: () => void
}

/**
 * Runs synchronous `build` with every weight zero, refusing more than 100 million parameters before
 * they are allocated: an allocation beyond the wasm heap would end the process. For that it wraps the
 * protected `Layer.addWeight` while `build` runs.
 */
const recordWeights = <T>(build: () => T): { readonly result: T; readonly dispose: () => void } => {
  const prototype = layers.Layer.prototype as unknown as { addWeight: AddWeight }
  const original = prototype.addWeight
  const variables: LayerVariable[] = []
  let parameters = 0
  const dispose = (): void => {
    for (const variable of variables.splice(0)) variable.dispose()
  }
  prototype.addWeight = function addWeight(name, shape, dtype, _initializer, ...rest) {
    parameters += tf.util.sizeFromShape(shape)
    if (!(parameters <= MAX_PARAMETERS)) {
      throw new HeadstartError(
        'HEAD_INVALID',
        `the head has more than ${MAX_PARAMETERS} parameters`,
      )
    }
    const zeros: Initializer = { apply: (size, type) => tf.zeros(size, type) }
    const variable = original.call(this, name, shape, dtype, zeros, ...rest)
    variables.push(variable)
    return variable
  }
  try {
    return { result: build(), dispose }
  } catch (error) {
    dispose()
    throw headInvalid(error)
  } finally {
    prototype.addWeight = original
  }
}

const headInvalid = (error: unknown): HeadstartError =>
  isHeadstartError(error)
    ? error
    : new HeadstartError('HEAD_INVALID', `the head cannot be built: ${messageOf(error)}`, {
        cause: error,
      })

const assertWeightNames = (model: LayersModel): void => {
  const names = model.weights.map((weight) => weight.originalName)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new HeadstartError('HEAD_INVALID', `two weights of the head are called "${twice}"`)
  }
}

/** A model that `build` puts together, its weights zero. The caller disposes it. */
export const buildModel = (build: () => LayersModel): OwnedModel => {
  const { result, dispose } = recordWeights(build)
  return { model: result, dispose }
}

/** The topology in the words of Keras 2, the only ones that TF.js reads. */
const inKeras2Words = (topology: Readonly<Record<string, unknown>>) => {
  try {
    return toKeras2Topology(topology) as Parameters<typeof models.modelFromJSON>[0]
  } catch (cause) {
    throw new HeadstartError('HEAD_INVALID', `the head cannot be used: ${messageOf(cause)}`, {
      cause,
    })
  }
}

/**
 * The LayersModel of a `modelTopology` of Keras 2 or 3, its weights zero. The caller disposes it.
 *
 * @throws HEAD_INVALID
 */
export const modelFromTopology = async (
  topology: Readonly<Record<string, unknown>>,
): Promise<OwnedModel> => {
  assertTopology(topology)
  const json = inKeras2Words(topology)
  // Declared async, but without weights to fetch it builds all before it returns its promise.
  const { result, dispose } = recordWeights(() => models.modelFromJSON(json))
  try {
    const model = await result
    assertWeightNames(model)
    return { model, dispose }
  } catch (error) {
    dispose()
    throw headInvalid(error)
  }
}
