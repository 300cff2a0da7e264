// Owns which tensors of a graph can be cut: outputs of nodes that depend on the input.
import type { OnnxModel } from './model.js'
import { namesReadBy } from './names.js'

export interface Reached {
  readonly name: string
  readonly opType: string
}

/** In the order of the graph, which the format asks to be an order of computation. */
export const outputsFedBy = ({ graph }: OnnxModel, input: string): Reached[] => {
  const fed = new Set([input])
  const reached: Reached[] = []
  for (const node of graph.node) {
    if (!namesReadBy(node).some((name) => fed.has(name))) continue
    for (const name of node.output) {
      if (name === '') continue
      fed.add(name)
      reached.push({ name, opType: node.opType })
    }
  }
  return reached
}
