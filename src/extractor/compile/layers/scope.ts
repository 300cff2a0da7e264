// Owns the walk over the nodes of a model, nested ones included: which value each symbolic tensor of
// TF.js has in the graph. What cannot be compiled has none, nor has what depends on it.
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../../../errors.js'
import { assureBuilt, isModel, type Layer, type LayerNode } from '../../engines/tfjs-cut.js'
import type { GraphBuilder } from '../../onnx/graph-builder.js'
import type { Unsupported } from '../record.js'
import type { Layouts, TensorValue } from '../tensor-value.js'
import { settingsOf, UnsupportedSetting, type Weight } from './layer-call.js'
import { compilerOf } from './table.js'

/** A model may use another one several times, and that one a third: uses multiply. */
const MAX_CALLS = 50_000

// TF.js marks these members private or internal; they are what its own saving and cloning use.
interface Node extends LayerNode {
  readonly outboundLayer: Layer
}
interface Container {
  readonly nodesByDepth: Readonly<Record<string, readonly Node[]>>
}

/** The values of one call of a model, by the id of TF.js's symbolic tensor; undefined: not computable. */
export interface Scope {
  readonly values: Map<number, TensorValue | undefined>
  /** Calls of nested models. */
  readonly inner: Map<LayerNode, Scope>
}

export interface ScopeRequest {
  readonly builder: GraphBuilder
  readonly layouts: Layouts
  /** For messages and names of constants. */
  pathOf(layer: Layer): string
}

const MODEL_CLASSES = new Set(['Model', 'Functional', 'Sequential'])

/** Deepest first, so that what a node needs has been seen before. */
const nodesOf = (model: LayersModel): readonly Node[] => {
  assureBuilt(model)
  const { nodesByDepth } = model as unknown as Container
  const depths = Object.keys(nodesByDepth).map(Number)
  return depths.sort((a, b) => b - a).flatMap((depth) => nodesByDepth[depth] ?? [])
}

const weightsOf = (layer: Layer): ReadonlyMap<string, Weight> =>
  new Map(
    layer.weights.map((variable) => {
      const tensor = variable.read()
      const name = variable.originalName.slice(variable.originalName.lastIndexOf('/') + 1)
      return [name, { data: tensor.dataSync<'float32'>(), shape: tensor.shape }]
    }),
  )

export const createScopes = ({ builder, layouts, pathOf }: ScopeRequest) => {
  const unsupported = new Map<Layer, Unsupported>()
  const weights = new Map<Layer, ReadonlyMap<string, Weight>>()
  const constants = new Map<Layer, Map<string, string>>()
  let calls = 0

  /** Of a layer, made at its first call. */
  const kept = <T>(map: Map<Layer, T>, layer: Layer, make: () => T): T => {
    const value = map.get(layer) ?? make()
    map.set(layer, value)
    return value
  }

  const refuse = (layer: Layer, why?: string): undefined => {
    const className = layer.getClassName()
    unsupported.set(layer, {
      path: pathOf(layer),
      className: why === undefined ? className : `${className} with ${why}`,
    })
  }

  const compileCall = (
    layer: Layer,
    inputs: readonly TensorValue[],
    output: SymbolicTensor,
  ): TensorValue | undefined => {
    const compile = compilerOf(layer.getClassName())
    if (compile === undefined) return refuse(layer)
    const written = kept(constants, layer, () => new Map<string, string>())
    try {
      return compile({
        builder,
        layouts,
        inputs,
        outputShape: output.shape,
        settings: settingsOf(layer),
        weight: (name) => kept(weights, layer, () => weightsOf(layer)).get(name),
        once: (key, make) => {
          const name = written.get(key) ?? make(`${pathOf(layer)}/${key}`)
          written.set(key, name)
          return name
        },
      })
    } catch (error) {
      if (error instanceof UnsupportedSetting) return refuse(layer, error.message)
      throw error
    }
  }

  const valuesOf = (scope: Scope, node: Node): readonly (TensorValue | undefined)[] => {
    const { outboundLayer: layer, outputTensors } = node
    const inputs = node.inputTensors.map(({ id }) => scope.values.get(id))
    if (isModel(layer) && MODEL_CLASSES.has(layer.getClassName())) {
      const inner = open(layer, inputs)
      scope.inner.set(node, inner)
      return layer.outputs.map(({ id }) => inner.values.get(id))
    }
    const known = inputs.filter((value) => value !== undefined)
    const [output, ...others] = outputTensors
    if (known.length < inputs.length || output === undefined) return []
    if (others.length > 0) return [refuse(layer, `${outputTensors.length} outputs`)]
    return [compileCall(layer, known, output)]
  }

  /** Compiles one call of a model on these inputs. @throws BASE_TOO_LARGE */
  const open = (model: LayersModel, inputs: readonly (TensorValue | undefined)[]): Scope => {
    const nodes = nodesOf(model)
    const scope: Scope = { values: new Map(), inner: new Map() }
    model.inputs.forEach(({ id }, i) => {
      scope.values.set(id, inputs[i])
    })
    for (const node of nodes) {
      if (node.inputTensors.length === 0 || node.outboundLayer.getClassName() === 'InputLayer')
        continue
      calls += 1
      if (calls > MAX_CALLS)
        throw new HeadstartError(
          'BASE_TOO_LARGE',
          `the base uses its layers more than ${MAX_CALLS} times`,
        )
      const values = valuesOf(scope, node)
      node.outputTensors.forEach(({ id }, i) => {
        scope.values.set(id, values[i])
      })
    }
    return scope
  }

  return { open, unsupported: (): Unsupported[] => [...unsupported.values()] }
}
