// Topologies that are broken, or made to do harm: refused, or compiled without what cannot be honoured.
import { beforeAll, describe, expect, it } from 'vitest'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { compileGraphModel } from '../../src/extractor/compile/graph-model.js'
import {
  attr,
  distanceOf,
  graphBase,
  int,
  ints,
  type NodeJson,
  noise,
  runOnnx,
  runTfjs,
  sizeOfShape,
  TOLERANCE,
  useBackend,
  type WeightJson,
} from '../support/graph-models.js'

const MANY = 100_000
const MANY_CONVOLUTIONS = 20_000

const relu = (name: string, ...input: string[]): NodeJson => ({ name, op: 'Relu', input })
const rows = (...nodes: NodeJson[]): TfjsBase => graphBase({ input: [-1, 4], nodes })

describe('a topology', () => {
  const withTopology = (topology: unknown, signature?: unknown): TfjsBase => ({
    ...rows(relu('y', 'x')),
    topology,
    signature,
  })

  it.each<[string, TfjsBase, string]>([
    ['with a cycle', rows(relu('a', 'b'), relu('b', 'a'), relu('y', 'x')), 'BASE_INVALID'],
    ['with a node that reads itself', rows(relu('a', 'a'), relu('y', 'x')), 'BASE_INVALID'],
    ['with a cycle of control inputs', rows(relu('a', 'x', '^b'), relu('b', 'a')), 'BASE_INVALID'],
    ['that lacks an input', rows(relu('y', 'nowhere')), 'BASE_INVALID'],
    ['that reads an inherited name', rows(relu('y', 'constructor')), 'BASE_INVALID'],
    ['with a name that reads as an output', rows(relu('a:1', 'x')), 'BASE_INVALID'],
    ['with two nodes of one name', rows(relu('y', 'x'), relu('y', 'x')), 'BASE_INVALID'],
    ['with two inputs', rows(relu('y', 'x'), { name: 'other', op: 'Placeholder' }), 'BASE_INVALID'],
    ['that is null', withTopology(null), 'BASE_INVALID'],
    ['that is a list', withTopology([]), 'BASE_INVALID'],
    ['without nodes', withTopology({ node: [] }), 'BASE_INVALID'],
    ['whose nodes are no list', withTopology({ node: { length: 3 } }), 'BASE_INVALID'],
    ['of nodes without names', withTopology({ node: [{ op: 'Relu' }] }), 'BASE_INVALID'],
    ['with a signature that is none', { ...rows(relu('y', 'x')), signature: 7 }, 'BASE_INVALID'],
    [
      'with more nodes than any network',
      withTopology({ node: Array.from({ length: 200_001 }, () => 0) }),
      'BASE_TOO_LARGE',
    ],
    [
      'of unknown operations only',
      rows({ name: 'y', op: 'Magic', input: ['x'] }),
      'BASE_LAYER_UNKNOWN',
    ],
    [
      'for a fixed number of samples',
      graphBase({ input: [2, 4], nodes: [relu('y', 'x')] }),
      'BASE_LAYER_UNKNOWN',
    ],
    ['whose only cut has the name of the input', rows(relu('input', 'x')), 'BASE_LAYER_UNKNOWN'],
  ])('%s is refused', async (_, base, code) => {
    await expect(compileGraphModel(base)).rejects.toMatchObject({ code })
  })
})

const CONV = {
  strides: attr.ints(1, 1, 1, 1),
  dilations: attr.ints(1, 1, 1, 1),
  padding: attr.text('SAME'),
}
const conv = (more: Record<string, unknown>, op = 'Conv2D', ...input: string[]): NodeJson => ({
  name: 'bad',
  op,
  input: input.length > 0 ? input : ['x', 'kernel'],
  attr: { ...CONV, ...more },
})
const plain = (op: string, input: string[], attributes?: Record<string, unknown>): NodeJson => ({
  name: 'bad',
  op,
  input,
  ...(attributes === undefined ? {} : { attr: attributes }),
})

const WEIGHTS: Record<string, WeightJson> = {
  kernel: { shape: [3, 3, 4, 4] },
  wrongKernel: { shape: [3, 3, 5, 4] },
  flat: { shape: [36, 4] },
  four: { shape: [4] },
  five: { shape: [5] },
  number: { shape: [], values: [1] },
  axis: int(1),
  far: int(9),
  zero: int(0),
  axes: ints(1, 2),
  huge: ints(1, 30_000, 30_000, 30_000),
  negative: { shape: [4, 2], dtype: 'int32', values: [0, 0, -1, 0, 0, 0, 0, 0] },
  mirror: { shape: [4, 2], dtype: 'int32', values: [0, 0, 6, 0, 0, 0, 0, 0] },
  shape: ints(-1, 7),
  perm: ints(0, 1, 1, 2),
  size: ints(7, 9),
  flag: { shape: [], dtype: 'bool', values: [1] },
  long: { shape: [5000], dtype: 'int32', values: Array.from({ length: 5000 }, () => 0) },
}

describe('a node', () => {
  beforeAll(() => useBackend('cpu'))

  it.each<[string, NodeJson]>([
    ['strides of the batch', conv({ strides: attr.ints(2, 1, 1, 1) })],
    ['strides of 0', conv({ strides: attr.ints(1, 0, 1, 1) })],
    ['strides beyond reason', conv({ strides: attr.ints(1, 1e15, 1, 1) })],
    ['strides that are text', conv({ strides: attr.text('1111') })],
    [
      'strides and dilations',
      conv({ strides: attr.ints(1, 2, 2, 1), dilations: attr.ints(1, 2, 2, 1) }),
    ],
    ['an unknown padding', conv({ padding: attr.text('FULL') })],
    ['a padding that is a number', conv({ padding: attr.int(1) })],
    [
      'negative explicit padding',
      conv({
        padding: attr.text('EXPLICIT'),
        explicit_paddings: attr.ints(0, 0, -1, 0, 0, 0, 0, 0),
      }),
    ],
    ['channels first', conv({ data_format: attr.text('NCHW') })],
    [
      'a kernel larger than the image',
      conv({ padding: attr.text('VALID'), dilations: attr.ints(1, 9, 9, 1) }),
    ],
    ['a kernel for other channels', conv({}, 'Conv2D', 'x', 'wrongKernel')],
    ['a kernel without four axes', conv({}, 'Conv2D', 'x', 'flat')],
    ['a kernel of whole numbers', conv({}, 'Conv2D', 'x', 'axes')],
    ['no kernel', conv({}, 'Conv2D', 'x')],
    [
      'an unknown fused operation',
      conv(
        { fused_ops: attr.texts('BiasAdd', 'Tanh'), num_args: attr.int(1) },
        '_FusedConv2D',
        'x',
        'kernel',
        'four',
      ),
    ],
    [
      'a fused BatchNormalization',
      conv(
        { fused_ops: attr.texts('FusedBatchNorm'), num_args: attr.int(4) },
        '_FusedConv2D',
        'x',
        'kernel',
        'four',
        'four',
        'four',
        'four',
      ),
    ],
    [
      'an activation that TF.js ignores',
      conv({ fused_ops: attr.texts('Relu'), num_args: attr.int(0) }, '_FusedConv2D'),
    ],
    [
      'a fused bias of another size',
      conv(
        { fused_ops: attr.texts('BiasAdd'), num_args: attr.int(1) },
        '_FusedConv2D',
        'x',
        'kernel',
        'five',
      ),
    ],
    [
      'a fused bias that is not there',
      conv({ fused_ops: attr.texts('BiasAdd'), num_args: attr.int(1) }, '_FusedConv2D'),
    ],
    [
      'a slope that TF.js does not read',
      conv(
        { fused_ops: attr.texts('BiasAdd', 'LeakyRelu'), num_args: attr.int(1) },
        'FusedDepthwiseConv2dNative',
        'x',
        'kernel',
        'four',
      ),
    ],
    ['a window of no size', plain('MaxPool', ['x'], { ...CONV, ksize: attr.ints(1, 0, 2, 1) })],
    ['a slope that is text', plain('LeakyRelu', ['x'], { alpha: attr.text('0.2') })],
    ['shapes that do not broadcast', plain('AddV2', ['x', 'five'])],
    ['matrices that do not fit', plain('BatchMatMulV2', ['x', 'kernel'])],
    ['one input too few', plain('AddV2', ['x'])],
    ['an output that its input does not have', plain('Relu', ['good:3'])],
    ['a bool', plain('Relu', ['flag'])],
    ['an axis that is not there', plain('Softmax', ['number'])],
    ['a reduction over no such axis', plain('Mean', ['x', 'far'])],
    ['padding below 0', plain('Pad', ['x', 'negative'])],
    ['padding of other axes', plain('Pad', ['x', 'axes'])],
    [
      'a mirror larger than the image',
      plain('MirrorPad', ['x', 'mirror'], { mode: attr.text('REFLECT') }),
    ],
    [
      'a mirror that repeats the border',
      plain('MirrorPad', ['x', 'negative'], { mode: attr.text('SYMMETRIC') }),
    ],
    ['terabytes of repeats', plain('Tile', ['x', 'huge'])],
    ['a shape for other values', plain('Reshape', ['x', 'shape'])],
    ['a shape with thousands of axes', plain('Reshape', ['x', 'long'])],
    ['a permutation that is none', plain('Transpose', ['x', 'perm'])],
    ['a squeezed axis that is not 1', plain('Squeeze', ['x'], { squeeze_dims: attr.ints(1) })],
    ['parts of different size', plain('Split', ['axis', 'x'], { num_split: attr.int(4) })],
    ['a million parts', plain('Split', ['axis', 'x'], { num_split: attr.int(1e6) })],
    ['an index beyond the end', plain('GatherV2', ['x', 'far', 'axis'])],
    ['a slice without axes', plain('Slice', ['x', 'axes', 'axes'])],
    [
      'statistics of the batch',
      plain('FusedBatchNormV3', ['x', 'four', 'four', 'four', 'four'], {
        is_training: attr.bool(true),
      }),
    ],
    [
      'statistics of other channels',
      plain('FusedBatchNormV3', ['x', 'four', 'five', 'four', 'four']),
    ],
    [
      'two ways to place pixels',
      plain('ResizeBilinear', ['x', 'size'], {
        align_corners: attr.bool(true),
        half_pixel_centers: attr.bool(true),
      }),
    ],
    ['pixels between two others', plain('ResizeNearestNeighbor', ['x', 'size'])],
    ['bounds the wrong way round', plain('ClipByValue', ['x', 'number', 'zero'])],
    ['a sum of a tensor and whole numbers', plain('AddV2', ['x', 'axes'])],
    ['a cast to text', plain('Cast', ['x'], { DstT: attr.type('DT_STRING') })],
    ['an operation of an inherited name', plain('constructor', ['x'])],
  ])('with %s is listed by name, with all that depends on it left out', async (_, bad) => {
    const sound = [relu('good', 'x'), conv2('beside', 'good')]
    const request = { input: [-1, 6, 5, 4], weights: WEIGHTS }
    const base = graphBase({ ...request, nodes: [...sound, bad, relu('after', 'bad')] })
    const compiled = await compileGraphModel(base)
    expect(compiled.unsupported).toEqual([{ path: 'bad', className: bad.op }])
    expect(new Set(compiled.cuts)).toEqual(new Set(['good', 'beside']))
    // What is left runs. TF.js would not even load some of these graphs.
    const shape = [2, 6, 5, 4]
    const x = noise(sizeOfShape(shape))
    const cuts = ['good', 'beside']
    const references = await runTfjs(graphBase({ ...request, nodes: sound }), cuts, x, shape)
    for (const [i, cut] of cuts.entries()) {
      const answer = await runOnnx(compiled, cut, x, shape)
      const reference = references[i]?.values ?? new Float32Array()
      expect(distanceOf(answer.values, reference), cut).toBeLessThanOrEqual(TOLERANCE)
    }
  })

  it('that computes a size without bounds is refused', async () => {
    const squares = Array.from({ length: 64 }, (_, i): NodeJson => {
      const from = i === 0 ? 'size' : `square${i - 1}`
      return { name: `square${i}`, op: 'Mul', input: [from, from] }
    })
    const base = graphBase({
      input: [-1, 4],
      weights: { from: ints(0), one: ints(1) },
      nodes: [
        relu('y', 'x'),
        { name: 'shape', op: 'Shape', input: ['x'] },
        { name: 'size', op: 'StridedSlice', input: ['shape', 'from', 'one', 'one'] },
        ...squares,
      ],
    })
    const { unsupported } = await compileGraphModel(base)
    expect(unsupported).toEqual([{ path: 'square3', className: 'Mul' }])
  })
})

const conv2 = (name: string, input: string): NodeJson => ({
  name,
  op: 'Conv2D',
  input: [input, 'kernel'],
  attr: CONV,
})

describe(`${MANY} nodes, or as many as take the same time,`, () => {
  const chain = (op: (name: string, from: string) => NodeJson, length = MANY): NodeJson[] =>
    Array.from({ length }, (_, i) => op(`n${i}`, i === 0 ? 'x' : `n${i - 1}`))

  it('in a chain are compiled', async () => {
    const { cuts } = await compileGraphModel(rows(...chain(relu)))
    expect(cuts).toHaveLength(MANY)
  })

  it('in a chain, listed backwards, are compiled', async () => {
    const { cuts } = await compileGraphModel(rows(...chain(relu).reverse()))
    expect(cuts).toHaveLength(MANY)
  })

  it('that read all others into one are compiled', async () => {
    const nodes = chain((name) => relu(name, 'x'))
    const sum = { name: 'sum', op: 'AddN', input: nodes.map(({ name }) => name) }
    const { cuts } = await compileGraphModel(rows(...nodes, sum))
    expect(cuts).toContain('sum')
  })

  it(`that are ${MANY_CONVOLUTIONS} convolutions with one kernel have it once`, async () => {
    const base = graphBase({
      input: [-1, 8, 8, 64],
      weights: { kernel: { shape: [3, 3, 64, 64] } },
      nodes: Array.from({ length: MANY_CONVOLUTIONS }, (_, i) => conv2(`n${i}`, 'x')),
    })
    const { bytes, cuts } = await compileGraphModel(base)
    expect(cuts).toHaveLength(MANY_CONVOLUTIONS)
    expect(bytes.length).toBeLessThan(20 * 2 ** 20)
  })

  it(`that are ${MANY_CONVOLUTIONS} convolutions of unknown sizes are compiled`, async () => {
    const base = graphBase({
      input: [-1, -1, -1, 1],
      weights: { kernel: { shape: [3, 3, 1, 1] } },
      nodes: chain(
        (name, from) => ({
          name,
          op: 'Conv2D',
          input: [from, 'kernel'],
          attr: { ...CONV, padding: attr.text('VALID') },
        }),
        MANY_CONVOLUTIONS,
      ),
    })
    const { cuts } = await compileGraphModel(base)
    expect(cuts).toHaveLength(MANY_CONVOLUTIONS)
  })
})
