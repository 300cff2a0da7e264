// Whole models: nested, shared, with branches; what cannot be compiled; what a hostile base tries.
import {
  input,
  type LayersModel,
  layers as l,
  model as makeModel,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { compileLayersModel } from '../../src/extractor/compile/layers-model.js'
import { cutLayersModel } from '../../src/extractor/engines/tfjs-cut.js'
import { cutGraph } from '../../src/extractor/onnx/cut.js'
import { parseOnnxModel } from '../../src/extractor/onnx/model.js'
import { BASES } from '../head/models.js'
import { noise, sizeOfShape, useBackend } from '../support/graph-models.js'
import {
  chainOf,
  expectSameAsTfjs,
  expectSameAt,
  fillWeights,
  type Layer,
  TFJS,
} from '../support/layers-models.js'

beforeAll(() => useBackend('cpu'))

const SIZE = [6, 6, 3]
const conv = (name: string, filters = 3): Layer =>
  l.conv2d({ filters, kernelSize: 3, padding: 'same', name })

describe('a base', () => {
  it.each(Object.keys(BASES) as (keyof typeof BASES)[])(
    '%s, nested, shared or branched, gives at every cut what TF.js gives',
    async (name) => {
      await expectSameAsTfjs(fillWeights(BASES[name]()))
    },
  )

  it('names its outputs as graph outputs, and every cut has its own name', async () => {
    const { compiled } = await expectSameAsTfjs(fillWeights(BASES.nestedTwice()))
    const { graph } = parseOnnxModel(compiled.bytes)
    expect(graph.output.map(({ name }) => name)).toEqual([compiled.cuts.at(-1)])
    expect(graph.input.map(({ name }) => name)).toEqual(['input'])
  })

  it('writes the weights of a shared layer once', async () => {
    const x = input({ shape: SIZE })
    const shared = conv('shared')
    const [a, b] = [shared.apply(x), shared.apply(l.reLU().apply(x))] as SymbolicTensor[]
    const outputs = l.add().apply([a, b] as SymbolicTensor[]) as SymbolicTensor
    const { compiled } = await expectSameAsTfjs(fillWeights(makeModel({ inputs: x, outputs })))
    const { graph } = parseOnnxModel(compiled.bytes)
    expect(graph.initializer.filter(({ name }) => name.startsWith('shared/kernel'))).toHaveLength(1)
    expect(graph.node.filter(({ opType }) => opType === 'Conv')).toHaveLength(2)
  })

  it('keeps convolutions in one order of axes: a chain of them is transposed once', async () => {
    const model = chainOf(
      SIZE,
      conv('a'),
      l.batchNormalization(),
      l.activation({ activation: 'swish' }),
      l.depthwiseConv2d({ kernelSize: 3 }),
      l.zeroPadding2d(),
      conv('b'),
      l.globalAveragePooling2d({ dataFormat: 'channelsLast', name: 'end' }),
    )
    const { bytes } = await compileLayersModel(model)
    const { graph } = cutGraph(parseOnnxModel(bytes), 'end')
    const count = (type: string) => graph.node.filter(({ opType }) => opType === type).length
    expect([count('Transpose'), count('Conv'), count('BatchNormalization')]).toEqual([1, 3, 1])
  })

  it('may have a layer with the name of the input: it is computed, but is no cut', async () => {
    const model = chainOf(SIZE, conv('input'), conv('end'))
    const { cuts } = await compileLayersModel(model)
    expect(cuts).toEqual(['end'])
    const shape = [1, ...SIZE]
    const given = { x: noise(sizeOfShape(shape)), shape }
    await expectSameAt({ model, compiled: await compileLayersModel(model) }, 'end', given)
  })
})

describe('what has no counterpart', () => {
  const unknown = () => l.conv3d({ filters: 2, kernelSize: 1, name: 'volume' })

  it('is reported by name; what does not depend on it still compiles', async () => {
    const x = input({ shape: SIZE })
    const stem = conv('stem').apply(x) as SymbolicTensor
    const shaped = l.reshape({ targetShape: [...SIZE, 1], name: 'shaped' }).apply(stem)
    const volume = unknown().apply(shaped)
    const flat = l.flatten({ name: 'after' }).apply(volume) as SymbolicTensor
    const other = l.flatten({ name: 'other' }).apply(stem) as SymbolicTensor
    const outputs = l.concatenate({ name: 'join' }).apply([flat, other]) as SymbolicTensor
    const model = fillWeights(makeModel({ inputs: x, outputs }))
    const compiled = await compileLayersModel(model)
    expect(compiled.unsupported).toEqual([{ path: 'volume', className: 'Conv3D' }])
    expect(new Set(compiled.cuts)).toEqual(new Set(['stem', 'shaped', 'other']))
    const shape = [2, ...SIZE]
    await expectSameAt({ model, compiled }, 'other', { x: noise(sizeOfShape(shape)), shape })
  })

  it('is reported with its path inside of nested models', async () => {
    const nested = chainOf([...SIZE, 1], unknown())
    const model = chainOf(SIZE, conv('stem'), l.reshape({ targetShape: [...SIZE, 1] }), nested)
    const { unsupported, cuts } = await compileLayersModel(model)
    expect(unsupported).toEqual([{ path: `${nested.name}/volume`, className: 'Conv3D' }])
    expect(cuts).not.toContain(nested.name)
    expect(cuts).toContain('stem')
  })

  it.each<[string, readonly number[], () => Layer]>([
    [
      'Conv2D with dataFormat "channelsFirst"',
      SIZE,
      () => l.conv2d({ filters: 2, kernelSize: 1, dataFormat: 'channelsFirst' }),
    ],
    [
      'MaxPooling2D with dataFormat "channelsFirst"',
      SIZE,
      () => l.maxPooling2d({ dataFormat: 'channelsFirst' }),
    ],
    [
      'Flatten with dataFormat "channelsFirst"',
      SIZE,
      () => l.flatten({ dataFormat: 'channelsFirst' }),
    ],
    [
      'ZeroPadding2D with dataFormat "channelsFirst"',
      SIZE,
      () => l.zeroPadding2d({ dataFormat: 'channelsFirst' }),
    ],
    // TF.js reads past it.
    [
      'DepthwiseConv2D with dilationRate [2,2]',
      SIZE,
      () => l.depthwiseConv2d({ kernelSize: 2, dilationRate: 2 }),
    ],
    [
      'Conv1D with padding causal',
      [6, 3],
      () => l.conv1d({ filters: 2, kernelSize: 2, padding: 'causal' }),
    ],
    ['BatchNormalization with axis 1', SIZE, () => l.batchNormalization({ axis: 1 })],
    ['LayerNormalization with axis [1]', SIZE, () => l.layerNormalization({ axis: 1 })],
    ['Softmax with axis 1', SIZE, () => l.softmax({ axis: 1 })],
    ['Softmax with axis [1,2]', SIZE, () => l.softmax({ axis: [1, 2] as never })],
    ['UpSampling2D with size [1.5,2]', SIZE, () => l.upSampling2d({ size: [1.5, 2] })],
    ['LSTM', [6, 3], () => l.lstm({ units: 2, recurrentInitializer: 'glorotNormal' })],
    ['Masking', [6, 3], () => l.masking()],
    ['TimeDistributed', [6, 3], () => l.timeDistributed({ layer: l.dense({ units: 2 }) })],
  ])('%s is refused, not computed otherwise', async (className, size, make) => {
    const model = chainOf(size, l.dense({ units: 3, name: 'first' }), make())
    const { cuts, unsupported } = await compileLayersModel(model)
    expect(unsupported.map((it) => it.className)).toEqual([className])
    expect(cuts).toEqual(['first'])
  })

  it('makes the base unknown where nothing else is left', async () => {
    const model = chainOf([...SIZE, 1], unknown())
    await expect(compileLayersModel(model)).rejects.toMatchObject({
      code: 'BASE_LAYER_UNKNOWN',
      message: expect.stringContaining('volume (Conv3D)') as string,
    })
  })

  it('is a base with two inputs', async () => {
    const inputs = [input({ shape: [3] }), input({ shape: [3] })]
    const model = makeModel({ inputs, outputs: l.add().apply(inputs) as SymbolicTensor })
    await expect(compileLayersModel(model)).rejects.toMatchObject({ code: 'BASE_INVALID' })
  })
})

describe('a hostile base', () => {
  /** Each model calls the one before twice: 2^depth calls of the innermost layer. */
  const doubling = (depth: number): LayersModel => {
    let model = chainOf([4], l.dense({ units: 4 }))
    for (let i = 0; i < depth; i += 1) {
      const x = input({ shape: [4] })
      const calls = [model.apply(x), model.apply(l.reLU().apply(x))] as SymbolicTensor[]
      model = makeModel({ inputs: x, outputs: l.add().apply(calls) as SymbolicTensor })
    }
    return model
  }

  it('of nested models that multiply is compiled while it is small', async () => {
    const model = doubling(3)
    const { bytes } = await compileLayersModel(model)
    const { graph } = parseOnnxModel(bytes)
    expect(graph.node.filter(({ opType }) => opType === 'Gemm')).toHaveLength(8)
    expect(graph.initializer).toHaveLength(2)
  })

  it('of nested models that multiply is refused before it fills the memory', async () => {
    await expect(compileLayersModel(doubling(18))).rejects.toMatchObject({ code: 'BASE_TOO_LARGE' })
  })

  it('of thousands of layers takes linear time and memory', async () => {
    const chain = Array.from({ length: 1_500 }, (_, i) => l.reLU({ name: `relu_${i}` }))
    const { cuts, bytes } = await compileLayersModel(chainOf([4], ...chain))
    expect(cuts).toHaveLength(1_500)
    expect(bytes.length).toBeLessThan(500_000)
  })
})

describe('a Sequential', () => {
  it('that was never built compiles as it is', async () => {
    const model = sequential({ layers: [l.dense({ units: 3, inputShape: [4], name: 'd' })] })
    expect(model.built).toBe(false)
    expect((await compileLayersModel(model)).cuts).toEqual(['d'])
    expect(cutLayersModel(TFJS, model, 'd').outputs[0]?.shape).toEqual([null, 3])
  })
})
