// Owns the graphs of the two products that training a linear head needs; every size is given at run time.
import { create } from '@bufbuild/protobuf'
import { createGraphBuilder } from './graph-builder.js'
import { namedOutput, type OnnxModel } from './model.js'
import {
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.js'

/** Names of inputs and of the output in both graphs. */
export const PRODUCT = { left: 'left', right: 'right', added: 'added', output: 'product' } as const

/** float32 with an axis of any size for each name; equal names are equal sizes. */
const floats = (name: string, axes: readonly string[]): ValueInfoProto => {
  const dim = axes.map((axis) =>
    create(TensorShapeProto_DimensionSchema, { value: { case: 'dimParam', value: axis } }),
  )
  const tensorType = { elemType: DataType.FLOAT, shape: { dim } }
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: tensorType } },
  })
}

const productModel = (input: ValueInfoProto[], transA: 0 | 1): OnnxModel => {
  const graph = create(GraphProtoSchema, { name: 'product', input })
  const names = input.map(({ name }) => name)
  createGraphBuilder(graph).node('Gemm', names, { transA: { int: transA } }, PRODUCT.output)
  graph.output = [namedOutput(PRODUCT.output)]
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: 17n })],
    graph,
  }) as OnnxModel
}

/** left [rows, width] x right [width, columns] + added [columns]. */
export const affineModel = (): OnnxModel =>
  productModel(
    [
      floats(PRODUCT.left, ['rows', 'width']),
      floats(PRODUCT.right, ['width', 'columns']),
      floats(PRODUCT.added, ['columns']),
    ],
    0,
  )

/** The transpose of left [rows, width] x right [rows, columns]: [width, columns]. */
export const transposedProductModel = (): OnnxModel =>
  productModel(
    [floats(PRODUCT.left, ['rows', 'width']), floats(PRODUCT.right, ['rows', 'columns'])],
    1,
  )
