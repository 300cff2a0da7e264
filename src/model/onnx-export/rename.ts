// Owns other names for the tensors of an ONNX graph, at every depth. Refuses nothing: that the new names
// are free is the caller's to know.
import { changed, type OnnxModel } from '../../extractor/onnx/model.js'
import type { AttributeProto, GraphProto, NodeProto } from '../../extractor/onnx/onnx_pb.js'

type Rename = (name: string) => string

const inAttribute = (attribute: AttributeProto, rename: Rename): AttributeProto => {
  const { g, graphs } = attribute
  if (g === undefined && graphs.length === 0) return attribute
  return changed(attribute, {
    ...(g === undefined ? {} : { g: inGraph(g, rename) }),
    graphs: graphs.map((graph) => inGraph(graph, rename)),
  })
}

/** An empty name stands for an input or output that is left out. */
const inNode = (node: NodeProto, rename: Rename): NodeProto => {
  const tensor: Rename = (name) => (name === '' ? '' : rename(name))
  return changed(node, {
    name: rename(node.name),
    input: node.input.map(tensor),
    output: node.output.map(tensor),
    attribute: node.attribute.map((attribute) => inAttribute(attribute, rename)),
  })
}

const inGraph = (graph: GraphProto, rename: Rename): GraphProto => {
  const named = <T extends { name: string }>(items: readonly T[]): T[] =>
    items.map((item) => changed(item, { name: rename(item.name) } as Partial<T>))
  return changed(graph, {
    node: graph.node.map((node) => inNode(node, rename)),
    initializer: named(graph.initializer),
    input: named(graph.input),
    output: named(graph.output),
    valueInfo: named(graph.valueInfo),
  })
}

/** The model with each tensor, and each node, under the name that `rename` gives it. Pure. */
export const renameTensors = (model: OnnxModel, rename: Rename): OnnxModel =>
  changed(model, { graph: inGraph(model.graph, rename) })
