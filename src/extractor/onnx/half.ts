// Owns a graph in float16: its input, its weights and its constants; what is computed of them follows.
// Leaves float32 what the standard wants in float32. Casts at the borders are added elsewhere.
import { toHalves } from './float16.js'
import { changed, type OnnxModel } from './model.js'
import { graphsIn } from './names.js'
import {
  type AttributeProto,
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './onnx_pb.js'
import { floatsOf } from './tensor-values.js'

/** Operators whose further inputs, factors and regions, are float32 whatever the first one is. */
const FLOAT32_ARGUMENTS = new Set(['Resize', 'Upsample'])

const halfTensor = (tensor: TensorProto): TensorProto => {
  const floats = floatsOf(tensor)
  if (floats === null) return tensor
  const halves = toHalves(floats)
  const rawData = new Uint8Array(halves.buffer as ArrayBuffer)
  return changed(tensor, { dataType: DataType.FLOAT16, floatData: [], rawData })
}

const halfInfo = (info: ValueInfoProto): ValueInfoProto => {
  const value = info.type?.value
  if (info.type === undefined || value?.case !== 'tensorType') return info
  if (value.value.elemType !== DataType.FLOAT) return info
  const tensor = changed(value.value, { elemType: DataType.FLOAT16 })
  return changed(info, { type: changed(info.type, { value: { case: value.case, value: tensor } }) })
}

const FLOAT = BigInt(DataType.FLOAT)
const FLOAT16 = BigInt(DataType.FLOAT16)

const halfNode = (node: NodeProto, kept: ReadonlySet<string>): NodeProto => {
  if (node.opType === 'Constant' && node.output.some((name) => kept.has(name))) return node
  const attribute = node.attribute.map((before): AttributeProto => {
    const { name, i, t, g } = before
    if (node.opType === 'Cast' && name === 'to' && i === FLOAT)
      return changed(before, { i: FLOAT16 })
    if (t !== undefined) return changed(before, { t: halfTensor(t) })
    return g === undefined ? before : changed(before, { g: halfGraph(g, kept) })
  })
  return changed(node, { attribute })
}

const halfGraph = (graph: GraphProto, kept: ReadonlySet<string>): GraphProto =>
  changed(graph, {
    node: graph.node.map((node) => halfNode(node, kept)),
    initializer: graph.initializer.map((tensor) =>
      kept.has(tensor.name) ? tensor : halfTensor(tensor),
    ),
    input: graph.input.map(halfInfo),
    output: graph.output.map(halfInfo),
    valueInfo: [],
  })

/** The model with float16 in place of float32, its input included. Pure. */
export const toHalf = (model: OnnxModel): OnnxModel => {
  const kept = new Set<string>()
  for (const { node } of graphsIn(model.graph))
    for (const { opType, input } of node)
      if (FLOAT32_ARGUMENTS.has(opType)) for (const name of input.slice(1)) kept.add(name)
  return changed(model, { graph: halfGraph(model.graph, kept) })
}
