// Owns making an ONNX model of our own from nothing: float inputs with named dimensions, nodes, outputs.
import { create } from '@bufbuild/protobuf'
import { createGraphBuilder, type GraphBuilder } from './graph-builder.js'
import { namedOutput, type OnnxModel, serialiseOnnxModel } from './model.js'
import {
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.js'

/** A float32 input. A dimension with a name is free; the same name is the same size everywhere. */
export interface FloatInput {
  readonly name: string
  readonly dims: readonly (number | string)[]
}

const infoOf = ({ name, dims }: FloatInput): ValueInfoProto => {
  const dim = dims.map((size) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof size === 'string'
          ? { case: 'dimParam', value: size }
          : { case: 'dimValue', value: BigInt(size) },
    }),
  )
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: DataType.FLOAT, shape: { dim } } } },
  })
}

/**
 * The bytes of a model with the standard operators of version 17.
 *
 * @param build appends the nodes and returns the names of the outputs.
 */
export const newOnnxModel = (
  name: string,
  inputs: readonly FloatInput[],
  build: (builder: GraphBuilder) => readonly string[],
): Uint8Array => {
  const graph = create(GraphProtoSchema, { name, input: inputs.map(infoOf) })
  graph.output = build(createGraphBuilder(graph)).map(namedOutput)
  const opset = create(OperatorSetIdProtoSchema, { domain: '', version: 17n })
  const model = create(ModelProtoSchema, { irVersion: 8n, opsetImport: [opset], graph })
  return serialiseOnnxModel(model as OnnxModel)
}
