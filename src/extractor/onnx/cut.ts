// Owns cutting a graph: one tensor becomes its only output, and what does not feed it goes.
import { HeadstartError } from '../../errors.js'
import { namedOutput, type OnnxModel, withGraph } from './model.js'
import { namesReadBy } from './names.js'
import type { NodeProto } from './onnx_pb.js'

/** Names of everything that `outputs` depend on, themselves included. */
const namesFeeding = (nodes: readonly NodeProto[], outputs: readonly string[]): Set<string> => {
  const makers = new Map<string, NodeProto>()
  for (const node of nodes) for (const name of node.output) makers.set(name, node)
  const needed = new Set(outputs)
  const open = [...outputs]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = makers.get(name)
    if (maker === undefined) continue
    for (const read of namesReadBy(maker))
      if (!needed.has(read)) {
        needed.add(read)
        open.push(read)
      }
  }
  return needed
}

/**
 * A model that computes the named tensors and nothing else. Declared shapes of tensors inside the
 * graph go: they may name sizes that the input no longer has, and onnxruntime infers them anew.
 */
export const keepOutputs = (model: OnnxModel, names: readonly string[]): OnnxModel => {
  const { graph } = model
  const needed = namesFeeding(graph.node, names)
  return withGraph(model, {
    node: graph.node.filter(({ output }) => output.some((name) => needed.has(name))),
    initializer: graph.initializer.filter(({ name }) => needed.has(name)),
    input: graph.input.filter(({ name }) => needed.has(name)),
    output: names.map(namedOutput),
    valueInfo: [],
  })
}

/** @throws CUT_NOT_FOUND when no node of the graph gives a tensor of that name. */
export const cutGraph = (model: OnnxModel, cut: string): OnnxModel => {
  if (cut === '' || !model.graph.node.some(({ output }) => output.includes(cut)))
    throw new HeadstartError('CUT_NOT_FOUND', `the base has no output ${JSON.stringify(cut)}`)
  return keepOutputs(model, [cut])
}
