// Owns making one graph of several that compute different things from the same input: what they have in
// common is computed once. Every node stays as it is, so that every output keeps its bits. Refuses
// graphs with branches or loops, whose nodes read what surrounds them by name.
import { toBinary } from '@bufbuild/protobuf'
import { type Sha256, sha256 } from '../../identity/hash.js'
import { changed, type OnnxModel, withGraph } from './model.js'
import { graphsIn } from './names.js'
import {
  AttributeProtoSchema,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorProtoSchema,
} from './onnx_pb.js'

/** Numbers of fields that no message of ours has: functions of a model, sparse weights of a graph. */
const FUNCTIONS = 25
const SPARSE_WEIGHTS = 15

const hasField = (
  message: { $unknown?: readonly { readonly no: number }[] | undefined },
  no: number,
) => message.$unknown?.some((field) => field.no === no) ?? false

const isFlat = (model: OnnxModel): boolean =>
  [...graphsIn(model.graph)].length === 1 &&
  !hasField(model, FUNCTIONS) &&
  !hasField(model.graph, SPARSE_WEIGHTS)

/** By type, shape and bytes. */
const keyOfWeights = (tensor: TensorProto): Sha256 => {
  const { rawData, dims, dataType } = tensor
  const rest = changed(tensor, { name: '', rawData: new Uint8Array(0) })
  return sha256(`${dataType} ${dims.join()} `, toBinary(TensorProtoSchema, rest), rawData)
}

/** By operation, attributes and what it reads: nodes with the same key give the same. */
const keyOfNode = (node: NodeProto, inputs: readonly string[]): Sha256 => {
  const attributes = node.attribute
    .map((attribute) => ({
      name: attribute.name,
      hash: sha256(toBinary(AttributeProtoSchema, attribute)),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const outputs = node.output.map((name) => name !== '')
  return sha256(JSON.stringify([node.domain, node.opType, inputs, attributes, outputs]))
}

interface Shared {
  readonly graph: Pick<GraphProto, 'node' | 'initializer'>
  /** Name of the first node or weights with a key, one an output. */
  readonly known: Map<Sha256, readonly string[]>
  count: number
}

/** Adds what is not there yet. @returns the name of the graph's only output in the shared graph. */
const addGraph = (shared: Shared, graph: GraphProto): string => {
  const names = new Map<string, string>([['', '']])
  for (const { name } of graph.input) names.set(name, name)
  const settle = (key: Sha256, own: readonly string[], add: (given: string[]) => void): void => {
    let given = shared.known.get(key)
    if (given === undefined) {
      const fresh = own.map((name) => {
        shared.count += 1
        return name === '' ? '' : `shared/${shared.count}`
      })
      add(fresh)
      shared.known.set(key, fresh)
      given = fresh
    }
    for (const [index, name] of own.entries()) if (name !== '') names.set(name, given[index] ?? '')
  }
  for (const tensor of graph.initializer)
    settle(keyOfWeights(tensor), [tensor.name], ([name = '']) => {
      shared.graph.initializer.push(changed(tensor, { name }))
    })
  for (const node of graph.node) {
    const input = node.input.map((name) => {
      const found = names.get(name)
      if (found === undefined) throw new RangeError(`the graph reads ${name} before it is there`)
      return found
    })
    settle(keyOfNode(node, input), node.output, (output) => {
      const name = output.find((one) => one !== '') ?? ''
      shared.graph.node.push(changed(node, { name, input, output }))
    })
  }
  return names.get(graph.output[0]?.name ?? '') ?? ''
}

export interface SharedGraph {
  readonly model: OnnxModel
  /** Names of the outputs, in the order of the models; models that compute the same share one. */
  readonly outputs: readonly string[]
}

/**
 * Merges models with the same input and one output each. Pure.
 *
 * @param models as an engine optimised them, each by itself: run the result without optimisation, or
 *   operations are fused otherwise than in the model alone and the bits move.
 * @returns null where they cannot be shared.
 */
export const shareGraphs = (models: readonly OnnxModel[]): SharedGraph | null => {
  const [first] = models
  if (first === undefined || !models.every(isFlat)) return null
  const shared: Shared = { graph: { node: [], initializer: [] }, known: new Map(), count: 0 }
  const outputs = models.map(({ graph }) => addGraph(shared, graph))
  const infos = models.map(({ graph }, i) => {
    const [info] = graph.output
    return info === undefined ? [] : [changed(info, { name: outputs[i] ?? '' })]
  })
  const output = infos.flat().filter(({ name }, i) => outputs.indexOf(name) === i)
  return { model: withGraph(first, { ...shared.graph, output, valueInfo: [] }), outputs }
}
