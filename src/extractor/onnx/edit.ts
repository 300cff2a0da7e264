// Owns adding nodes before and behind a graph without touching the model that is given.
import { createGraphBuilder, type GraphBuilder } from './graph-builder.js'
import { inputInfo } from './graph-input.js'
import { namedOutput, type OnnxModel, withGraph } from './model.js'
import type { TensorProto_DataType as DataType } from './onnx_pb.js'

/** Names that we add begin so, because subgraphs are not searched for names that are taken. */
export const OURS = 'headstart'

const copied = (model: OnnxModel): OnnxModel =>
  withGraph(model, {
    node: [...model.graph.node],
    initializer: [...model.graph.initializer],
    input: [...model.graph.input],
    output: [...model.graph.output],
  })

/** Lets `add` append nodes to the only output; the name that it returns becomes the output. */
export const appendToOutput = (
  model: OnnxModel,
  add: (builder: GraphBuilder, output: string) => string,
): OnnxModel => {
  const edited = copied(model)
  const { graph } = edited
  const last = add(createGraphBuilder(graph), graph.output[0]?.name ?? '')
  graph.output = [namedOutput(last)]
  return edited
}

export interface NewInput {
  /** Name of the input that is replaced; the nodes that read it stay as they are. */
  readonly replaces: string
  readonly name: string
  readonly type: DataType
  readonly dims: readonly (number | null)[]
}

/** Replaces the only input; `add` makes the old one, under its old name, of the new. */
export const replaceInput = (
  model: OnnxModel,
  { replaces, name, type, dims }: NewInput,
  add: (builder: GraphBuilder, input: string, old: string) => void,
): OnnxModel => {
  const edited = copied(model)
  const { graph } = edited
  const before = graph.node.length
  add(createGraphBuilder(graph), name, replaces)
  graph.node = [...graph.node.slice(before), ...graph.node.slice(0, before)]
  graph.input = [inputInfo(name, type, dims)]
  return edited
}
