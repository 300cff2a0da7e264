// Owns ONNX files as messages: parsing untrusted bytes, writing, and small helpers over the types.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { HeadstartError, messageOf } from '../../errors.js'
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.js'

/** The graph of a model; every parsed model has one. */
export type OnnxModel = ModelProto & { graph: GraphProto }

/**
 * Bytes of tensors are views of `bytes`, not copies. What this format of ours does not know is kept.
 *
 * @throws BASE_INVALID
 */
export const parseOnnxModel = (bytes: Uint8Array): OnnxModel => {
  let model: ModelProto
  try {
    model = fromBinary(ModelProtoSchema, bytes)
  } catch (error) {
    throw new HeadstartError('BASE_INVALID', `the file is no ONNX model: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (model.graph === undefined || model.graph.node.length === 0)
    throw new HeadstartError('BASE_INVALID', 'the file is no ONNX model: it has no graph')
  return model as OnnxModel
}

export const serialiseOnnxModel = (model: OnnxModel): Uint8Array =>
  toBinary(ModelProtoSchema, model)

/** A graph output of which only the name is said: onnxruntime infers type and shape. */
export const namedOutput = (name: string): ValueInfoProto => create(ValueInfoProtoSchema, { name })
