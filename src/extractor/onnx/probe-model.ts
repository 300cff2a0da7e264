// Owns the smallest graph that a device must be able to compute: one product of matrices.
import { create } from '@bufbuild/protobuf'
import { createGraphBuilder } from './graph-builder.js'
import { inputInfo } from './graph-input.js'
import { namedOutput, type OnnxModel } from './model.js'
import {
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
} from './onnx_pb.js'

export const PROBE_INPUT = 'x'
export const PROBE_SIDE = 4

/** float32 [4, 4] in, its product with itself out. */
export const probeModel = (): OnnxModel => {
  const graph = create(GraphProtoSchema, {
    name: 'probe',
    input: [inputInfo(PROBE_INPUT, DataType.FLOAT, [PROBE_SIDE, PROBE_SIDE])],
  })
  graph.output = [namedOutput(createGraphBuilder(graph).node('MatMul', [PROBE_INPUT, PROBE_INPUT]))]
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: 17n })],
    graph,
  }) as OnnxModel
}
