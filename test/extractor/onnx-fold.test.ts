import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { cutGraph } from '../../src/extractor/onnx/cut.js'
import { foldBatchNormalization } from '../../src/extractor/onnx/fold-batch-normalization.js'
import { createGraphBuilder } from '../../src/extractor/onnx/graph-builder.js'
import { inputInfo } from '../../src/extractor/onnx/graph-input.js'
import { namedOutput, type OnnxModel, serialiseOnnxModel } from '../../src/extractor/onnx/model.js'
import {
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
} from '../../src/extractor/onnx/onnx_pb.js'
import { floatsOf } from '../../src/extractor/onnx/tensor-values.js'
import { seededRandom } from '../support/images.js'
import { baseOf, maxDifference, onnxModel, openOnnx, rowsOf } from '../support/onnx-models.js'

const CHANNELS = 4
const EPSILON = Math.fround(0.01)
const INPUT = [3, 6, 5]

interface Weights {
  readonly kernel: Float32Array
  readonly bias: Float32Array
  readonly scale: Float32Array
  readonly offset: Float32Array
  readonly mean: Float32Array
  readonly variance: Float32Array
}

const random = seededRandom(11)
const values = (length: number, from = -1, to = 1): Float32Array =>
  Float32Array.from({ length }, () => from + (to - from) * random())
const WEIGHTS: Weights = {
  kernel: values(CHANNELS * 3 * 9),
  bias: values(CHANNELS),
  scale: values(CHANNELS, 0.5, 2),
  offset: values(CHANNELS),
  mean: values(CHANNELS),
  variance: values(CHANNELS, 0.1, 3),
}

/** rows [n, 3, 6, 5] -> conv -> normalised -> out. @param also reads the convolution as well. */
const convolution = ({ bias = true, also = false, training = false } = {}): OnnxModel => {
  const graph = create(GraphProtoSchema, {
    input: [inputInfo('x', DataType.FLOAT, [null, ...INPUT])],
  })
  const builder = createGraphBuilder(graph)
  const kernel = builder.constant('kernel', WEIGHTS.kernel, [CHANNELS, 3, 3, 3])
  const constant = (name: 'bias' | 'scale' | 'offset' | 'mean' | 'variance') =>
    builder.constant(name, WEIGHTS[name], [CHANNELS])
  builder.node('Conv', ['x', kernel, ...(bias ? [constant('bias')] : [])], {}, 'conv')
  const statistics = (['scale', 'offset', 'mean', 'variance'] as const).map(constant)
  const mode = training ? { training_mode: { int: 1 } } : {}
  builder.node(
    'BatchNormalization',
    ['conv', ...statistics],
    { epsilon: { float: EPSILON }, ...mode },
    'normal',
  )
  builder.node('Relu', ['normal'], {}, 'out')
  if (also) builder.node('Add', ['out', 'conv'], {}, 'sum')
  graph.output = [namedOutput(also ? 'sum' : 'out')]
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [create(OperatorSetIdProtoSchema, { version: 15n })],
    graph,
  }) as OnnxModel
}

const opsOf = ({ graph }: OnnxModel): string[] => graph.node.map(({ opType }) => opType)
const weightOf = ({ graph }: OnnxModel, name: string): Float32Array => {
  const tensor = graph.initializer.find((found) => found.name === name)
  const floats = tensor === undefined ? null : floatsOf(tensor)
  if (floats === null) throw new Error(`there is no ${name}`)
  return floats
}

describe('a normalisation behind a convolution', () => {
  it.each([true, false])('is folded, to the last bit (bias: %s)', (bias) => {
    const folded = foldBatchNormalization(convolution({ bias }))
    expect(opsOf(folded)).toEqual(['Conv', 'Relu'])
    const [conv] = folded.graph.node
    expect(conv?.output).toEqual(['normal'])
    const [, kernel = '', biases = ''] = conv?.input ?? []
    const { scale, offset, mean, variance } = WEIGHTS
    const factors = [...scale].map((s, c) => s / Math.sqrt((variance[c] ?? 0) + EPSILON))
    const kernels = [...WEIGHTS.kernel].map((w, i) => w * (factors[Math.floor(i / 27)] ?? 0))
    expect(weightOf(folded, kernel)).toEqual(Float32Array.from(kernels))
    const expected = factors.map(
      (factor, c) =>
        ((bias ? (WEIGHTS.bias[c] ?? 0) : 0) - (mean[c] ?? 0)) * factor + (offset[c] ?? 0),
    )
    expect(weightOf(folded, biases)).toEqual(Float32Array.from(expected))
    expect(folded.graph.initializer).toHaveLength(2)
  })

  it('stays where something else reads the convolution', () => {
    expect(opsOf(foldBatchNormalization(convolution({ also: true })))).toContain(
      'BatchNormalization',
    )
  })

  it('stays where the convolution is the cut, and goes where the normalisation is', () => {
    expect(opsOf(foldBatchNormalization(cutGraph(convolution(), 'conv')))).toEqual(['Conv'])
    expect(opsOf(foldBatchNormalization(cutGraph(convolution(), 'normal')))).toEqual(['Conv'])
  })

  it('stays where it uses the statistics of the batch', () => {
    expect(opsOf(foldBatchNormalization(convolution({ training: true })))).toContain(
      'BatchNormalization',
    )
  })

  it('leaves the model that was given as it was', () => {
    const model = convolution()
    const before = serialiseOnnxModel(model)
    foldBatchNormalization(model)
    expect(serialiseOnnxModel(model)).toEqual(before)
  })

  it('is folded in every place of a model of torch', () => {
    const model = onnxModel('torch-batch1')
    expect(opsOf(model).filter((op) => op === 'BatchNormalization')).toHaveLength(4)
    expect(opsOf(foldBatchNormalization(model))).not.toContain('BatchNormalization')
  })

  it.each([true, false])('computes what it computed before (bias: %s)', async (bias) => {
    const model = convolution({ bias })
    const rows = values(2 * 90)
    const run = async (bytes: Uint8Array, cut: string) => {
      const input = rowsOf(...INPUT)
      return (await openOnnx(baseOf(bytes), { cut, input })).run(rows, 2)
    }
    // Read twice, so that the engine cannot fold it either.
    const plain = await run(serialiseOnnxModel(convolution({ bias, also: true })), 'out')
    const folded = await run(serialiseOnnxModel(foldBatchNormalization(model)), 'out')
    expect(folded.shape).toEqual(plain.shape)
    expect(maxDifference(folded.values, plain.values)).toBeLessThan(1e-5)
  })
})
