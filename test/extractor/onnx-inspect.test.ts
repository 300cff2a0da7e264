import { describe, expect, it } from 'vitest'
import { inspectOnnxBase } from '../../src/extractor/engines/onnxruntime.js'
import { createGraphBuilder } from '../../src/extractor/onnx/graph-builder.js'
import { inputInfo } from '../../src/extractor/onnx/graph-input.js'
import { serialiseOnnxModel, withGraph } from '../../src/extractor/onnx/model.js'
import { TensorProto_DataType as DataType } from '../../src/extractor/onnx/onnx_pb.js'
import { baseOf, onnxBase, onnxModel } from '../support/onnx-models.js'

const inspect = (name: string) => inspectOnnxBase(onnxBase(name))
const cutsOf = async (name: string) =>
  (await inspect(name)).cuts.map(({ path, className, shape }) => [path, className, shape])

describe('inspecting an ONNX base', () => {
  it('lists its cuts in the order of the graph, with operator and shape', async () => {
    const found = await inspect('torch')
    expect(found.inputShape).toEqual([3, 24, 24])
    expect(found.cuts).toEqual([
      { path: 'getitem', className: 'Conv', shape: [12, 12, 12] },
      { path: 'relu', className: 'Relu', shape: [12, 12, 12] },
      { path: 'getitem_3', className: 'Conv', shape: [12, 12, 12] },
      { path: 'relu6', className: 'Clip', shape: [12, 12, 12] },
      { path: 'getitem_6', className: 'Conv', shape: [12, 12, 12] },
      { path: 'add_40', className: 'Add', shape: [12, 12, 12] },
      { path: 'getitem_9', className: 'Conv', shape: [20, 5, 5] },
      { path: 'val_41', className: 'Sigmoid', shape: [20, 5, 5] },
      { path: 'maps', className: 'Mul', shape: [20, 5, 5] },
      { path: 'features', className: 'ReduceMean', shape: [20] },
    ])
  })

  it('counts parameters: those of torch with its normalisations', async () => {
    // Kernels 324 + 108 + 144 + 2160, biases 12 + 20, four values for each of 12 + 12 + 12 + 20 channels.
    expect((await inspect('torch-batch1')).parameters).toBeGreaterThanOrEqual(
      324 + 108 + 144 + 2160 + 32 + 4 * 56,
    )
  })

  it('of a fixed batch gives the shapes of one sample', async () => {
    const { inputShape, cuts } = await inspect('torch-batch1')
    expect(inputShape).toEqual([3, 24, 24])
    expect(cuts.at(-1)).toEqual({ path: 'features', className: 'ReduceMean', shape: [20] })
    expect(cuts.map(({ className }) => className)).toContain('BatchNormalization')
    expect(cuts.map(({ className }) => className)).not.toContain('Constant')
  })

  it('that takes any size has no sizes but those of channels', async () => {
    const { inputShape, cuts } = await inspect('torch-any-size')
    expect(inputShape).toEqual([3, null, null])
    expect(cuts.find(({ path }) => path === 'maps')?.shape).toEqual([20, null, null])
    expect(cuts.at(-1)).toEqual({ path: 'features', className: 'ReduceMean', shape: [20] })
  })

  it('of any size with channels last keeps the last axis', async () => {
    const model = onnxModel('channels-last')
    const input = [inputInfo('images', DataType.FLOAT, [null, null, null, 3])]
    const { inputShape, cuts } = await inspectOnnxBase(
      baseOf(serialiseOnnxModel(withGraph(model, { input }))),
    )
    expect(inputShape).toEqual([null, null, 3])
    expect(cuts.at(-1)).toEqual({ path: 'maps', className: 'Transpose', shape: [null, null, 6] })
  })

  it('leaves out what has no row for each sample, and what is not float', async () => {
    expect(await cutsOf('tokens')).toEqual([
      ['flat', 'MatMul', [30]],
      ['split', 'Reshape', [6, 5]],
      ['tokens', 'Add', [6, 5]],
    ])
  })

  it('looks at what an If gives, not into its branches', async () => {
    expect(await cutsOf('branches')).toEqual([
      ['inner', 'Mul', [4]],
      ['dead', 'Add', [4]],
      ['chosen', 'If', [4]],
      ['out', 'Relu', [4]],
      ['behind', 'Exp', [4]],
    ])
  })

  it.each(['float16', 'double'])('takes an input of type %s', async (name) => {
    expect(await inspect(name)).toMatchObject({
      inputShape: [4],
      cuts: [
        { path: 'product', shape: [3] },
        { path: 'out', shape: [3] },
      ],
      parameters: 12,
    })
  })

  it('with an input larger than memory is refused before anything is allocated', async () => {
    const input = [inputInfo('images', DataType.FLOAT, [null, 3, 100_000, 100_000])]
    const bytes = serialiseOnnxModel(withGraph(onnxModel('torch'), { input }))
    await expect(inspectOnnxBase(baseOf(bytes))).rejects.toMatchObject({ code: 'BASE_TOO_LARGE' })
  })

  it('that asks for a tensor larger than memory is refused before it is made', async () => {
    const model = onnxModel('tokens')
    const graph = {
      ...model.graph,
      node: [...model.graph.node],
      initializer: [...model.graph.initializer],
    }
    const edited = withGraph(model, graph)
    const builder = createGraphBuilder(edited.graph)
    const sizes = builder.ints('sizes', [1, 60_000, 60_000])
    builder.node('ConstantOfShape', [sizes], {}, 'huge')
    await expect(inspectOnnxBase(baseOf(serialiseOnnxModel(edited)))).rejects.toMatchObject({
      code: 'BASE_TOO_LARGE',
      message: 'huge has the shape [1, 60000, 60000]',
    })
  })

  it('without a shape of its input is refused', async () => {
    const input = [inputInfo('images', DataType.FLOAT, [null])]
    const bytes = serialiseOnnxModel(withGraph(onnxModel('torch'), { input }))
    await expect(inspectOnnxBase(baseOf(bytes))).rejects.toMatchObject({
      code: 'BASE_INVALID',
      message: 'the input images has no shape of two axes or more, batch first',
    })
  })
})
