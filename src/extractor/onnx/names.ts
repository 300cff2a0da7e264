// Owns which tensors a node needs: its inputs, and what its subgraphs take from the graph around them.
import type { GraphProto, NodeProto } from './onnx_pb.js'

/** Graphs inside a node: branches of If, bodies of Loop and Scan. */
export const subgraphsOf = (node: NodeProto): GraphProto[] =>
  node.attribute.flatMap(({ g, graphs }) => (g === undefined ? graphs : [g, ...graphs]))

/** Every graph of a model: the graph itself, then those inside its nodes at any depth. */
export function* graphsIn(graph: GraphProto): Generator<GraphProto> {
  yield graph
  for (const node of graph.node) for (const inner of subgraphsOf(node)) yield* graphsIn(inner)
}

/**
 * Names that a node reads. A subgraph may read any tensor around it, so each name that it mentions
 * counts; its own names do no harm here, because ONNX forbids them to repeat those outside.
 */
export const namesReadBy = (node: NodeProto): string[] => [
  ...node.input.filter((name) => name !== ''),
  ...subgraphsOf(node).flatMap((inner) => [
    ...inner.node.flatMap(namesReadBy),
    ...inner.output.map(({ name }) => name),
  ]),
]
