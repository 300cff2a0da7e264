// Owns adding nodes and constants to an ONNX graph: unique names, attributes with their types.
import { create } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './onnx_pb.js'

export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly string: string }

export type Attributes = Readonly<Record<string, Attribute>>

const attributeOf = (name: string, value: Attribute): AttributeProto => {
  if ('int' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) })
  if ('ints' in value)
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.INTS,
      ints: value.ints.map(BigInt),
    })
  if ('float' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float })
  if ('floats' in value)
    return create(AttributeProtoSchema, {
      name,
      type: AttributeType.FLOATS,
      floats: [...value.floats],
    })
  return create(AttributeProtoSchema, {
    name,
    type: AttributeType.STRING,
    s: Buffer.from(value.string),
  })
}

export type ConstantData = Float32Array | BigInt64Array | Int32Array | Uint8Array

const dataTypeOf = (data: ConstantData): DataType => {
  if (data instanceof Float32Array) return DataType.FLOAT
  if (data instanceof BigInt64Array) return DataType.INT64
  return data instanceof Int32Array ? DataType.INT32 : DataType.UINT8
}

/** Little-endian, as ONNX asks for and as every machine that Node runs on has it. The data is borrowed. */
export const tensorOf = (name: string, data: ConstantData, dims: readonly number[]): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: dataTypeOf(data),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  })

export interface GraphBuilder {
  /** Adds a constant and returns its name, made unique from the hint. */
  constant(hint: string, data: ConstantData, dims: readonly number[]): string
  /** int64 [values.length], as shapes and axes are given. */
  ints(hint: string, values: readonly number[]): string
  /** float32 scalar. */
  scalar(hint: string, value: number): string
  /** Appends a node with one output and returns its name: `output`, or one made unique from the type. */
  node(opType: string, inputs: readonly string[], attributes?: Attributes, output?: string): string
  /** A name that nothing in the graph has. */
  unique(hint: string): string
}

/** Builds into `graph`, which may have nodes already. Nodes must be appended in topological order. */
export const createGraphBuilder = (graph: GraphProto): GraphBuilder => {
  const taken = new Set<string>()
  for (const { name } of [...graph.input, ...graph.initializer, ...graph.output]) taken.add(name)
  for (const node of graph.node) for (const name of [...node.input, ...node.output]) taken.add(name)

  // Where to go on counting, so that a thousand nodes of one type are not a million look-ups.
  const counters = new Map<string, number>()

  const unique = (hint: string): string => {
    let name = hint
    let i = counters.get(hint) ?? 1
    for (; taken.has(name); i += 1) name = `${hint}:${i}`
    counters.set(hint, i)
    taken.add(name)
    return name
  }
  const constant: GraphBuilder['constant'] = (hint, data, dims) => {
    const name = unique(hint)
    graph.initializer.push(tensorOf(name, data, dims))
    return name
  }
  return {
    unique,
    constant,
    ints: (hint, values) =>
      constant(
        hint,
        BigInt64Array.from(values, (value) => BigInt(value)),
        [values.length],
      ),
    scalar: (hint, value) => constant(hint, Float32Array.of(value), []),
    node: (opType, inputs, attributes = {}, output = unique(`${opType}:out`)) => {
      taken.add(output)
      const node: NodeProto = create(NodeProtoSchema, {
        opType,
        name: output,
        input: [...inputs],
        output: [output],
        attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
      })
      graph.node.push(node)
      return output
    },
  }
}
