// Owns cutting a LayersModel: at a layer, at the boundary of a nested model, and inside one.
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../errors.js'
import type { CutPoint } from '../base/load.js'
import type { Tfjs } from './tfjs.js'

export type Layer = LayersModel['layers'][number]

// TF.js marks these members private or internal; they are what its own saving and cloning use.
interface Container extends Omit<LayersModel, 'containerNodes'> {
  readonly containerNodes: ReadonlySet<string>
}
export interface LayerNode {
  readonly inputTensors: SymbolicTensor[]
  readonly outputTensors: SymbolicTensor[]
}

export const isModel = (layer: Layer): layer is Layer & LayersModel => 'layers' in layer

/** A Sequential knows its nodes only once it is built, which loading it does not do. No new weights. */
export const assureBuilt = (model: LayersModel): void => {
  if (!model.built) model.build(model.inputs[0]?.shape ?? [])
}

/**
 * The layer's node that belongs to this model: a shared layer has one for each place of use. None
 * does where a nested model opens a Sequential; its first node is the model itself.
 */
export const nodeOf = (model: LayersModel, layer: Layer): LayerNode | undefined => {
  assureBuilt(model)
  const { containerNodes } = model as unknown as Container
  const nodes = layer.inboundNodes as unknown as LayerNode[]
  const index = nodes.findIndex((_, i) => containerNodes.has(`${layer.name}_ib-${i}`))
  return nodes[index] ?? nodes[0]
}

const outputOf = (model: LayersModel, layer: Layer): SymbolicTensor[] =>
  nodeOf(model, layer)?.outputTensors ?? []

export interface FoundLayer {
  readonly path: string
  /** Outermost first; the last one is the layer that is cut. */
  readonly chain: readonly [Layer, ...Layer[]]
  readonly output: readonly SymbolicTensor[]
}

/** Every layer, nested models before their layers. */
export function* walkLayers(model: LayersModel, prefix = ''): Generator<FoundLayer> {
  for (const layer of model.layers) {
    const path = prefix + layer.name
    yield { path, chain: [layer], output: outputOf(model, layer) }
    if (isModel(layer))
      for (const inner of walkLayers(layer, `${path}/`))
        yield { ...inner, chain: [layer, ...inner.chain] }
  }
}

/** What the layer gives, where features can be read there. */
export const cutTensorOf = ({ chain, output }: FoundLayer): SymbolicTensor | undefined => {
  const [tensor, ...others] = output
  const isInput = chain.at(-1)?.getClassName() === 'InputLayer'
  return others.length > 0 || isInput || (tensor?.shape.length ?? 0) < 2 ? undefined : tensor
}

/** Every layer that can be cut, in the order of the model. */
export const listLayerCuts = (model: LayersModel): CutPoint[] => {
  const cuts: CutPoint[] = []
  for (const found of walkLayers(model)) {
    const tensor = cutTensorOf(found)
    const className = found.chain.at(-1)?.getClassName() ?? ''
    if (tensor) cuts.push({ path: found.path, className, shape: tensor.shape.slice(1) })
  }
  return cuts
}

/** Layers of one model: the nested models around it, outermost first, and which of its layers. */
export interface LayersInside {
  readonly around: readonly Layer[]
  readonly layers: readonly Layer[]
}

/**
 * A model that ends at some layers. Each model along the way is replaced by one that ends there, too.
 * It keeps its name: one that TF.js makes up (model1, ...) may be that of another layer.
 */
export const cutInside = (
  tf: Tfjs,
  model: LayersModel,
  { around, layers }: LayersInside,
): LayersModel => {
  const [nested, ...deeper] = around
  const { inputs, name } = model
  if (nested === undefined) {
    const outputs = layers.flatMap((layer) => outputOf(model, layer))
    return tf.layers.model({ inputs, name, outputs })
  }
  const inner = cutInside(tf, nested as Layer & LayersModel, { around: deeper, layers })
  const feeding = nodeOf(model, nested)?.inputTensors ?? []
  const output = inner.apply(feeding.length === 1 ? (feeding[0] as SymbolicTensor) : feeding)
  return tf.layers.model({ inputs, name, outputs: output as SymbolicTensor | SymbolicTensor[] })
}

/** @throws CUT_NOT_FOUND. */
export const findLayer = (model: LayersModel, path: string): FoundLayer => {
  for (const found of walkLayers(model)) if (found.path === path) return found
  throw new HeadstartError('CUT_NOT_FOUND', `the base has no layer ${path}`)
}

/**
 * A model from the inputs of the base to the output of the layer at `path`. It shares the layers
 * of the base: dispose the base, not the cut.
 *
 * @throws CUT_NOT_FOUND.
 */
export const cutLayersModel = (tf: Tfjs, model: LayersModel, path: string): LayersModel => {
  const { chain } = findLayer(model, path)
  return cutInside(tf, model, { around: chain.slice(0, -1), layers: chain.slice(-1) })
}
