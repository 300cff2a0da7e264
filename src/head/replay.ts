// Owns copying part of a model's graph onto new inputs, flat: nested models are taken apart, each
// layer is copied once however often it is used, and every copy gets a name of its own.
// Refuses nothing: weights of copies are zero, and `sources` says whose values belong there.
import type { LayersModel, LayerVariable, layers, SymbolicTensor } from '@tensorflow/tfjs-layers'

type Layer = layers.Layer

/** What TF.js keeps of one use of a layer. It marks the members internal; its own saving reads them. */
interface LayerNode {
  readonly inputTensors: readonly SymbolicTensor[]
  readonly outputTensors: readonly SymbolicTensor[]
  readonly callArgs: Record<string, unknown> | null
}

interface LayerClass {
  fromConfig(layerClass: unknown, config: object): Layer
}

export interface GraphCopy {
  /** A layer name that nothing else in the copy has: the wanted one, or with a number behind it. */
  uniqueName(wanted: string): string
  /**
   * The single output of `model`, computed from `input` in place of the model's single input.
   * Symbolic; no tensor is computed.
   */
  replay(model: LayersModel, input: SymbolicTensor): SymbolicTensor
  /** From each weight of a copied layer to the variable that holds its value. Borrowed. */
  sources(): ReadonlyMap<LayerVariable, LayerVariable>
  /** Frees the weights of all copies, not those of the models they were copied from. */
  dispose(): void
}

const isModel = (layer: Layer): layer is Layer & LayersModel => 'layers' in layer

/** `node` of the layer that computed the tensor. */
const nodeOf = (tensor: SymbolicTensor): LayerNode => {
  const nodes = tensor.sourceLayer.inboundNodes as unknown as readonly LayerNode[]
  const node = nodes[tensor.nodeIndex]
  if (node === undefined) throw new Error(`${tensor.name} was not computed by a layer`)
  return node
}

const single = <T>(values: readonly T[]): T => {
  const [value] = values
  if (value === undefined || values.length !== 1) throw new Error('one input and output needed')
  return value
}

/** Copies by configuration, as TF.js loads a saved layer: no initializer is run. */
const copyLayer = (layer: Layer, name: string): Layer => {
  const layerClass = layer.constructor as unknown as LayerClass
  const config = JSON.parse(JSON.stringify(layer.getConfig())) as Record<string, unknown>
  // Only an InputLayer needs it; elsewhere it would contradict an input of another size.
  delete config.batchInputShape
  const copy = layerClass.fromConfig(layerClass, { ...config, name })
  copy.setFastWeightInitDuringBuild(true)
  return copy
}

export const createGraphCopy = (): GraphCopy => {
  const names = new Set<string>()
  const copies = new Map<Layer, Layer>()

  const uniqueName = (wanted: string): string => {
    let name = wanted
    for (let n = 1; names.has(name); n += 1) name = `${wanted}_${n}`
    names.add(name)
    return name
  }

  const copyOf = (layer: Layer): Layer => {
    const existing = copies.get(layer)
    if (existing !== undefined) return existing
    const copy = copyLayer(layer, uniqueName(layer.name))
    copies.set(layer, copy)
    return copy
  }

  /** `known` maps tensors of one model, in one place where it is used, to their copies. */
  type Known = Map<SymbolicTensor, SymbolicTensor>

  const outputsOf = (layer: Layer, node: LayerNode, inputs: SymbolicTensor[]): SymbolicTensor[] => {
    if (isModel(layer)) {
      const inner: Known = new Map()
      for (const [index, tensor] of layer.inputs.entries()) {
        const given = inputs[index]
        if (given !== undefined) inner.set(tensor, given)
      }
      return layer.outputs.map((tensor) => visit(tensor, inner))
    }
    const [first, ...others] = inputs
    if (first === undefined) throw new Error(`the layer ${layer.name} has no input`)
    const argument = others.length === 0 ? first : inputs
    const output = copyOf(layer).apply(argument, { ...node.callArgs })
    return [output].flat() as SymbolicTensor[]
  }

  const visit = (tensor: SymbolicTensor, known: Known): SymbolicTensor => {
    const existing = known.get(tensor)
    if (existing !== undefined) return existing
    const node = nodeOf(tensor)
    const inputs = node.inputTensors.map((input) => visit(input, known))
    const outputs = outputsOf(tensor.sourceLayer, node, inputs)
    for (const [index, original] of node.outputTensors.entries()) {
      const output = outputs[index]
      if (output !== undefined) known.set(original, output)
    }
    const found = known.get(tensor)
    if (found === undefined) throw new Error(`${tensor.name} cannot be computed`)
    return found
  }

  return {
    uniqueName,
    replay: (model, input) =>
      visit(single(model.outputs), new Map([[single(model.inputs), input]])),
    sources: () => {
      const sources = new Map<LayerVariable, LayerVariable>()
      for (const [layer, copy] of copies) {
        const originals = layer.weights
        for (const [index, weight] of copy.weights.entries()) {
          const original = originals[index]
          if (original !== undefined) sources.set(weight, original)
        }
      }
      return sources
    },
    dispose: () => {
      for (const copy of copies.values()) for (const weight of copy.weights) weight.dispose()
      copies.clear()
    },
  }
}
