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
import { assertSmallStructure } from './structure.js'

/** The graph of a model; every parsed model has one. */
export type OnnxModel = ModelProto & { graph: GraphProto }

/**
 * Bytes of tensors are views of `bytes`, not copies. What this format of ours does not know is kept.
 *
 * @throws BASE_INVALID, BASE_TOO_LARGE.
 */
export const parseOnnxModel = (bytes: Uint8Array): OnnxModel => {
  let model: ModelProto
  try {
    assertSmallStructure(bytes)
    model = fromBinary(ModelProtoSchema, bytes)
  } catch (error) {
    if (error instanceof HeadstartError) throw error
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

/**
 * A copy of a message with some members replaced; the others are shared with the original. Keeps the
 * prototype, which holds the default values of fields that are not set.
 */
export const changed = <T extends object>(message: T, change: Partial<T>): T =>
  Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, change)

/** The model with members of its graph replaced. */
export const withGraph = (model: OnnxModel, change: Partial<GraphProto>): OnnxModel =>
  changed(model, { graph: changed(model.graph, change) })

/** Version of the standard operators; 1 where a model says none. */
export const opsetOf = (model: OnnxModel): number => {
  const own = model.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')
  return Number(own?.version ?? 1n)
}
