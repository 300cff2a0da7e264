// onnxruntime 1.30 takes a Pad of zeros before a MaxPool for padding of the pooling, which is minus
// infinity: where all values are negative, the border then loses its zeros.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { createGraphBuilder } from '../../src/extractor/onnx/graph-builder.js'
import { inputInfo } from '../../src/extractor/onnx/graph-input.js'
import { namedOutput, type OnnxModel, serialiseOnnxModel } from '../../src/extractor/onnx/model.js'
import {
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
} from '../../src/extractor/onnx/onnx_pb.js'
import { baseOf, openOnnx, rowsOf } from '../support/onnx-models.js'

/** x [n, 1, 4, 4] -> zeros around it -> the largest of each 3 x 3, every second one: [n, 1, 2, 2]. */
const padded = (): OnnxModel => {
  const graph = create(GraphProtoSchema, {
    input: [inputInfo('x', DataType.FLOAT, [null, 1, 4, 4])],
    output: [namedOutput('pooled')],
  })
  const builder = createGraphBuilder(graph)
  builder.node('Pad', ['x', builder.ints('pads', [0, 0, 1, 1, 0, 0, 1, 1])], {}, 'padded')
  const window = { kernel_shape: { ints: [3, 3] }, strides: { ints: [2, 2] } }
  builder.node('MaxPool', ['padded'], window, 'pooled')
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { version: 17n })],
    graph,
  }) as OnnxModel
}

describe('an ONNX file with zeros padded before a max pooling', () => {
  it('keeps the zeros', async () => {
    const engine = await openOnnx(baseOf(serialiseOnnxModel(padded())), {
      cut: 'pooled',
      input: rowsOf(1, 4, 4),
    })
    const { values, shape } = await engine.run(new Float32Array(2 * 16).fill(-1), 2)
    expect(shape).toEqual([1, 2, 2])
    // Only the last window of each sample has no padding in it.
    expect([...values]).toEqual([0, 0, 0, -1, 0, 0, 0, -1])
  })
})
