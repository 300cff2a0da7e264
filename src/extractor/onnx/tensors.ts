// Owns going through all tensors of a model: weights of its graphs and constants of their nodes.
import { changed, type OnnxModel } from './model.js'
import type { AttributeProto, GraphProto, NodeProto, TensorProto } from './onnx_pb.js'

/** Weights of one graph and constants of its nodes; graphs inside the nodes have their own. */
export const tensorsOf = (graph: GraphProto): TensorProto[] => [
  ...graph.initializer,
  ...graph.node.flatMap(({ attribute }) =>
    attribute.flatMap(({ t, tensors }) => (t === undefined ? tensors : [t, ...tensors])),
  ),
]

type Replace = (tensor: TensorProto) => TensorProto

const inAttribute = (attribute: AttributeProto, replace: Replace): AttributeProto => {
  const { t, tensors, g, graphs } = attribute
  return changed(attribute, {
    ...(t === undefined ? {} : { t: replace(t) }),
    ...(g === undefined ? {} : { g: inGraph(g, replace) }),
    tensors: tensors.map(replace),
    graphs: graphs.map((graph) => inGraph(graph, replace)),
  })
}

const inNode = (node: NodeProto, replace: Replace): NodeProto =>
  changed(node, { attribute: node.attribute.map((attribute) => inAttribute(attribute, replace)) })

const inGraph = (graph: GraphProto, replace: Replace): GraphProto =>
  changed(graph, {
    initializer: graph.initializer.map(replace),
    node: graph.node.map((node) => inNode(node, replace)),
  })

/** The model with each tensor, at any depth, replaced. */
export const mapTensors = (model: OnnxModel, replace: Replace): OnnxModel =>
  changed(model, { graph: inGraph(model.graph, replace) })
