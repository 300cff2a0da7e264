// Owns the model of a head spec: what is published, and the logits that are trained.
// Refuses heads whose input or output does not fit the features or the task.
import type { LayersModel, LayerVariable, SymbolicTensor } from '@tensorflow/tfjs-layers'
import { input, layers, model as makeModel } from '@tensorflow/tfjs-layers'
import type { Target } from '../dataset/types.js'
import { HeadstartError, messageOf } from '../errors.js'
import { drawInitialWeights } from './initial.js'
import type { HeadSpec } from './spec.js'
import { buildModel, modelFromTopology, type OwnedModel } from './topology.js'

export interface BuiltHead {
  /** Features to probabilities (classification) or values (regression). */
  readonly model: LayersModel
  /** The same layers without the last activation; the model itself for regression. */
  readonly logits: LayersModel
  /** The shape of one input, without the batch. */
  readonly inputShape: readonly number[]
  readonly outputs: number
  /** Kernel and bias of a last linear dense layer of a regression, where targets are folded in. */
  readonly lastDense: { readonly kernel: LayerVariable; readonly bias: LayerVariable } | null
  /** Frees all weights of both models. */
  readonly dispose: () => void
}

export const unitsOf = (target: Target): number =>
  target.kind === 'regression' ? target.outputs.length : target.classes.length

const activationOf = (target: Target): 'softmax' | 'sigmoid' | null =>
  target.kind === 'single' ? 'softmax' : target.kind === 'multi' ? 'sigmoid' : null

const invalid = (message: string): HeadstartError => new HeadstartError('HEAD_INVALID', message)

type PresetSpec = Exclude<HeadSpec, { kind: 'custom' }>

/** Input -> (Dropout, Dense ReLU)* -> Dropout -> Dense; all layer names start with `head_`. */
const presetLogits = (spec: PresetSpec, width: number, target: Target): LayersModel => {
  const features = input({ shape: [width], name: 'head_input' })
  let x: SymbolicTensor = features
  const add = (layer: layers.Layer): void => {
    x = layer.apply(x) as SymbolicTensor
  }
  const depth = spec.kind === 'mlp' ? spec.depth : 0
  for (let index = 1; index <= depth + 1; index += 1) {
    if (spec.dropout > 0) {
      add(layers.dropout({ rate: spec.dropout, name: `head_dropout_${index}` }))
    }
    if (spec.kind === 'mlp' && index <= depth) {
      add(layers.dense({ units: spec.width, activation: 'relu', name: `head_dense_${index}` }))
    }
  }
  const name = target.kind === 'regression' ? 'head_output' : 'head_logits'
  add(layers.dense({ units: unitsOf(target), name }))
  return makeModel({ inputs: features, outputs: x, name: 'head' })
}

const withActivation = (logits: LayersModel, activation: 'softmax' | 'sigmoid'): LayersModel => {
  const taken = new Set(logits.layers.map((layer) => layer.name))
  let name = 'head_probabilities'
  for (let n = 1; taken.has(name); n += 1) name = `head_probabilities_${n}`
  const output = layers.activation({ activation, name }).apply(logits.outputs) as SymbolicTensor
  return makeModel({ inputs: logits.inputs, outputs: output, name: 'head' })
}

/** The layer that computes the output, inside nested models too. */
const lastLayerOf = (model: LayersModel): layers.Layer => {
  const last = (model.outputs[0] as SymbolicTensor).sourceLayer
  return 'outputs' in last ? lastLayerOf(last as unknown as LayersModel) : last
}

const shapeText = (shape: readonly (number | null)[]): string => `[${shape.join(', ')}]`

/** The input shape of a custom head without its batch axis, checked against the features. */
const inputShapeOf = (model: LayersModel, featureShape: readonly number[]): number[] => {
  if (model.inputs.length !== 1 || model.outputs.length !== 1) {
    const counts = `${model.inputs.length} inputs and ${model.outputs.length} outputs`
    throw invalid(`a head has one input and one output; this one has ${counts}`)
  }
  const [batch, ...shape] = (model.inputs[0] as SymbolicTensor).shape
  const width = featureShape.reduce((product, size) => product * size, 1)
  const fits = [[width], featureShape].some(
    (wanted) =>
      wanted.length === shape.length && wanted.every((size, axis) => size === shape[axis]),
  )
  if (!fits || batch !== null) {
    const wanted = [...new Set([shapeText(featureShape), shapeText([width])])].join(' or ')
    const given = shapeText(batch === null ? shape : [batch ?? null, ...shape])
    throw invalid(`the head takes input of shape ${given}, the features have shape ${wanted}`)
  }
  return shape as number[]
}

interface Activated {
  activation: { getClassName(): string } | undefined
}

/**
 * The custom model ending in logits. A last Dense or Activation layer with the task's softmax or
 * sigmoid is made linear, and the activation put after it as a layer of its own: the same function,
 * but trained on logits, where probabilities of 0 and 1 have exact losses and gradients.
 */
const customLogits = (model: LayersModel, target: Target): LayersModel => {
  const wanted = activationOf(target)
  const last = lastLayerOf(model)
  const isSoftmaxLayer = last.getClassName() === 'Softmax'
  const activated = last as unknown as Activated
  const found = isSoftmaxLayer ? 'softmax' : (activated.activation?.getClassName() ?? 'linear')
  const make = (outputs: SymbolicTensor | SymbolicTensor[]): LayersModel =>
    makeModel({ inputs: model.inputs, outputs, name: 'head' })
  if (wanted === null || found === 'linear') return make(model.outputs)
  if (found !== wanted) {
    throw invalid(
      `the head ends in ${found}; a ${target.kind}-label head ends in ${wanted} or linear`,
    )
  }
  if (last.inboundNodes.length !== 1) {
    throw invalid(`the last layer "${last.name}" is used more than once`)
  }
  if (isSoftmaxLayer) {
    if (!model.layers.includes(last)) throw invalid('a nested model cannot end in a Softmax layer')
    return make(last.input)
  }
  const linear = layers.activation({ activation: 'linear' }) as unknown as Activated
  activated.activation = linear.activation
  return make(model.outputs)
}

const lastDenseOf = (model: LayersModel): BuiltHead['lastDense'] => {
  const last = lastLayerOf(model)
  const { activation } = last as unknown as Activated
  if (last.getClassName() !== 'Dense' || activation?.getClassName() !== 'linear') return null
  if (last.inboundNodes.length !== 1) return null
  const [kernel, bias] = last.weights
  return kernel !== undefined && bias !== undefined ? { kernel, bias } : null
}

const finish = (
  owned: OwnedModel,
  logits: LayersModel,
  inputShape: readonly number[],
  target: Target,
): BuiltHead => {
  const activation = activationOf(target)
  const model = activation === null ? logits : withActivation(logits, activation)
  const units = unitsOf(target)
  const outputShape = (model.outputs[0] as SymbolicTensor).shape.slice(1)
  if (outputShape.length !== 1 || outputShape[0] !== units) {
    const things = target.kind === 'regression' ? 'outputs' : 'classes'
    throw invalid(`the head has output ${shapeText(outputShape)}, the task has ${units} ${things}`)
  }
  const lastDense = target.kind === 'regression' ? lastDenseOf(model) : null
  return { model, logits, inputShape, outputs: units, lastDense, dispose: owned.dispose }
}

/**
 * The model of a spec with its initial weights; the same seed gives the same bits. The backend must
 * be ready. The caller disposes the result.
 *
 * @param seed null leaves every weight zero, for a model that is only looked at.
 * @throws HEAD_INVALID
 */
export const buildHead = async (request: {
  readonly spec: HeadSpec
  readonly featureShape: readonly number[]
  readonly target: Target
  readonly seed: number | null
}): Promise<BuiltHead> => {
  const { spec, featureShape, target, seed } = request
  const width = featureShape.reduce((product, size) => product * size, 1)
  const owned =
    spec.kind === 'custom'
      ? await modelFromTopology(spec.topology)
      : buildModel(() => presetLogits(spec, width, target))
  try {
    const custom = spec.kind === 'custom'
    const inputShape = custom ? inputShapeOf(owned.model, featureShape) : [width]
    const logits = custom ? customLogits(owned.model, target) : owned.model
    const head = finish(owned, logits, inputShape, target)
    if (head.model.trainableWeights.length === 0) throw invalid('the head has no trainable weight')
    if (seed !== null) drawInitialWeights(head.model, seed)
    return head
  } catch (error) {
    owned.dispose()
    if (error instanceof HeadstartError) throw error
    throw invalid(`the head cannot be built: ${messageOf(error)}`)
  }
}
