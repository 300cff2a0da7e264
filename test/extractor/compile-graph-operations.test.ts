// Every operation of the compiler, one small graph each: onnxruntime gives what TF.js gives.
import { beforeAll, describe, expect, it } from 'vitest'
import {
  attr,
  cutsOfTfjs,
  expectSameAsTfjs,
  type GraphJson,
  graphBase,
  int,
  ints,
  type NodeJson,
  noise,
  sizeOfShape,
  useBackend,
  type WeightJson,
} from '../support/graph-models.js'

const BATCH = 3
const IMAGE = [-1, 6, 5, 4]
const nhwc = attr.text('NHWC')

interface Case extends Partial<GraphJson> {
  readonly nodes: readonly NodeJson[]
  /** Added to the noise between -1 and 1. */
  readonly offset?: number
  /** TF.js on wasm does not have every operation, or not in every variant. */
  readonly on?: 'cpu'
}

const unary = (op: string, more: Partial<NodeJson> = {}): NodeJson => ({
  name: 'y',
  op,
  input: ['x'],
  ...more,
})

/** A convolution gives channels first; what follows is seen in that layout. */
const conv = (name = 'conv', input = 'x', kernel = 'kernel', more = {}): NodeJson => ({
  name,
  op: 'Conv2D',
  input: [input, kernel],
  attr: {
    strides: attr.ints(1, 1, 1, 1),
    dilations: attr.ints(1, 1, 1, 1),
    padding: attr.text('SAME'),
    data_format: nhwc,
    ...more,
  },
})
const KERNEL: Record<string, WeightJson> = { kernel: { shape: [3, 3, 4, 4] } }

const fused = (
  op: string,
  ops: string[],
  inputs: string[],
  more: Record<string, unknown> = {},
): NodeJson => ({
  name: 'y',
  op,
  input: ['x', ...inputs],
  attr: {
    strides: attr.ints(1, 2, 2, 1),
    dilations: attr.ints(1, 1, 1, 1),
    padding: attr.text('SAME'),
    data_format: nhwc,
    fused_ops: attr.texts(...ops),
    num_args: attr.int(inputs.length - 1),
    ...more,
  },
})

/** On the input as it is, and on a result of a convolution. */
const inBothLayouts = (
  title: string,
  node: (input: string) => NodeJson,
  more: Partial<Case> = {},
): [string, Case][] => [
  [`${title}, channels last`, { nodes: [node('x')], ...more }],
  [
    `${title}, channels first`,
    { ...more, nodes: [conv(), node('conv')], weights: { ...more.weights, ...KERNEL } },
  ],
]

const POSITIVE = ['Log', 'Sqrt', 'Rsqrt', 'Reciprocal']
const UNARY = [
  'Relu',
  'Relu6',
  'Elu',
  'Selu',
  'Sigmoid',
  'Tanh',
  'Softplus',
  'Exp',
  'Square',
  'Neg',
]
const CPU_ONLY = ['Erf', 'Softplus']

const activations: [string, Case][] = [
  ...[...UNARY, 'Abs', 'Erf', 'Identity', 'StopGradient', 'Softmax'].flatMap((op) =>
    inBothLayouts(op, (input) => unary(op, { input: [input] }), {
      ...(CPU_ONLY.includes(op) ? { on: 'cpu' } : {}),
    }),
  ),
  ...POSITIVE.map((op): [string, Case] => [op, { nodes: [unary(op)], offset: 1.2 }]),
  [
    'Relu6 above 6',
    {
      nodes: [
        { name: 'tenfold', op: 'Mul', input: ['x', 'ten'] },
        { name: 'y', op: 'Relu6', input: ['tenfold'] },
      ],
      weights: { ten: { shape: [], values: [10] } },
    },
  ],
  ['LeakyRelu', { nodes: [unary('LeakyRelu', { attr: { alpha: attr.float(0.3) } })] }],
  [
    'IdentityN',
    {
      nodes: [
        { name: 'both', op: 'IdentityN', input: ['x', 'weight'] },
        { name: 'y', op: 'Sub', input: ['both', 'both:1'] },
      ],
      weights: { weight: { shape: [4] } },
    },
  ],
  ['LeakyRelu with the slope that TF.js assumes', { nodes: [unary('LeakyRelu')] }],
  ...inBothLayouts('Prelu', (input) => unary('Prelu', { input: [input, 'slopes'] }), {
    weights: { slopes: { shape: [1, 1, 4] } },
  }),
  ...inBothLayouts(
    'ClipByValue',
    (input) => unary('ClipByValue', { input: [input, 'min', 'max'] }),
    { weights: { min: { shape: [], values: [-0.25] }, max: { shape: [], values: [0.5] } } },
  ),
]

const PAIRS = ['Add', 'AddV2', 'Sub', 'Mul', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference']
const OTHERS: Record<string, number[]> = {
  'a number': [],
  channels: [4],
  'a row': [5, 4],
  'an image': [6, 5, 4],
  'a batch of one': [1, 6, 1, 4],
}

const arithmetic: [string, Case][] = [
  ...PAIRS.flatMap((op) =>
    Object.entries(OTHERS).flatMap(([what, shape]) => [
      ...inBothLayouts(`${op} with ${what}`, (input) => unary(op, { input: [input, 'other'] }), {
        weights: {
          other: { shape, values: [...noise(sizeOfShape(shape), 5)].map((value) => value + 1.5) },
        },
      }),
    ]),
  ),
  [
    'a weight less a tensor',
    { nodes: [unary('Sub', { input: ['one', 'x'] })], weights: { one: { shape: [4] } } },
  ],
  [
    'Add of two layouts',
    { nodes: [conv(), unary('AddV2', { input: ['x', 'conv'] })], weights: KERNEL },
  ],
  [
    'Mul of an image and what was computed for its channels',
    {
      nodes: [
        conv(),
        { name: 'means', op: 'Mean', input: ['conv', 'axes'] },
        { name: 'gates', op: 'Reshape', input: ['means', 'shape'] },
        { name: 'y', op: 'Mul', input: ['conv', 'gates'] },
      ],
      weights: { ...KERNEL, axes: ints(1, 2), shape: ints(-1, 1, 1, 4) },
    },
  ],
  [
    'Mul of an image and a row that was computed',
    {
      nodes: [
        conv(),
        { name: 'row', op: 'Exp', input: ['weight'] },
        { name: 'y', op: 'Mul', input: ['conv', 'row'] },
      ],
      weights: { ...KERNEL, weight: { shape: [5, 4] } },
    },
  ],
  [
    'Pow',
    {
      nodes: [unary('Pow', { input: ['x', 'three'] })],
      weights: { three: { shape: [], values: [3] } },
    },
  ],
  ['AddN', { nodes: [conv(), unary('AddN', { input: ['x', 'conv', 'x'] })], weights: KERNEL }],
  ...inBothLayouts(
    'BiasAdd',
    (input) => unary('BiasAdd', { input: [input, 'bias'], attr: { data_format: nhwc } }),
    { weights: { bias: { shape: [4] } } },
  ),
]

const STATISTICS: Record<string, WeightJson> = {
  scale: { shape: [4] },
  offset: { shape: [4] },
  mean: { shape: [4] },
  variance: { shape: [4], values: [0.5, 1, 2, 0.01] },
}

const normalizations: [string, Case][] = ['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3']
  .flatMap((op) =>
    inBothLayouts(
      op,
      (input) => ({
        name: 'y',
        op,
        input: [input, 'scale', 'offset', 'mean', 'variance'],
        attr: { epsilon: attr.float(0.002), data_format: nhwc, is_training: attr.bool(false) },
      }),
      { weights: STATISTICS },
    ),
  )
  .concat([
    [
      'BatchNorm of rows, with the epsilon that TF.js assumes',
      {
        input: [-1, 4],
        nodes: [unary('FusedBatchNormV3', { input: ['x', 'scale', 'offset', 'mean', 'variance'] })],
        weights: STATISTICS,
      },
    ],
  ])

const explicit = {
  padding: attr.text('EXPLICIT'),
  explicit_paddings: attr.ints(0, 0, 2, 1, 0, 3, 0, 0),
}
const DEPTHWISE: Record<string, WeightJson> = { kernel: { shape: [3, 2, 4, 3] } }
const bias = { bias: { shape: [4] } }

const convolutions: [string, Case][] = [
  [
    'Conv2D, valid',
    { nodes: [conv('y', 'x', 'kernel', { padding: attr.text('VALID') })], weights: KERNEL },
  ],
  ['Conv2D, explicit', { nodes: [conv('y', 'x', 'kernel', explicit)], weights: KERNEL }],
  [
    'Conv2D, dilated',
    {
      nodes: [conv('y', 'x', 'kernel', { dilations: attr.ints(1, 2, 2, 1) })],
      weights: KERNEL,
    },
  ],
  [
    'Conv2D with strides, of any size',
    {
      input: [-1, -1, -1, 4],
      nodes: [conv('y', 'x', 'kernel', { strides: attr.ints(1, 2, 2, 1) })],
      weights: KERNEL,
    },
  ],
  [
    'two branches of any size, added',
    {
      input: [-1, -1, -1, 4],
      nodes: [
        conv('a', 'x', 'kernel', { strides: attr.ints(1, 2, 2, 1) }),
        {
          name: 'b',
          op: 'MaxPool',
          input: ['x'],
          attr: {
            ksize: attr.ints(1, 2, 2, 1),
            strides: attr.ints(1, 2, 2, 1),
            padding: attr.text('SAME'),
          },
        },
        { name: 'y', op: 'AddV2', input: ['a', 'b'] },
        { name: 'z', op: 'ConcatV2', input: ['y', 'a', 'axis'], attr: { N: attr.int(2) } },
      ],
      weights: { ...KERNEL, axis: int(-1) },
    },
  ],
  [
    'Conv2D with a kernel that was computed',
    {
      nodes: [
        { name: 'doubled', op: 'Mul', input: ['kernel', 'kernel'] },
        conv('y', 'x', 'doubled'),
      ],
      weights: KERNEL,
    },
  ],
  [
    'DepthwiseConv2dNative',
    {
      nodes: [
        {
          ...conv('y', 'x', 'kernel', { strides: attr.ints(1, 2, 2, 1) }),
          op: 'DepthwiseConv2dNative',
        },
      ],
      weights: DEPTHWISE,
    },
  ],
  [
    'DepthwiseConv2dNative, dilated',
    {
      nodes: [
        {
          ...conv('y', 'x', 'kernel', { dilations: attr.ints(1, 2, 2, 1) }),
          op: 'DepthwiseConv2dNative',
        },
      ],
      weights: DEPTHWISE,
    },
  ],
  [
    '_FusedConv2D without anything',
    { nodes: [{ ...fused('_FusedConv2D', [], ['kernel']) }], weights: KERNEL },
  ],
  [
    '_FusedConv2D with a bias',
    {
      nodes: [fused('_FusedConv2D', ['BiasAdd'], ['kernel', 'bias'])],
      weights: { ...KERNEL, ...bias },
    },
  ],
  ...['Relu', 'Relu6', 'Elu', 'Sigmoid'].map((op): [string, Case] => [
    `_FusedConv2D with ${op}`,
    {
      nodes: [fused('_FusedConv2D', ['BiasAdd', op], ['kernel', 'bias'])],
      weights: { ...KERNEL, ...bias },
    },
  ]),
  [
    '_FusedConv2D with LeakyRelu',
    {
      nodes: [
        fused('_FusedConv2D', ['BiasAdd', 'LeakyRelu'], ['kernel', 'bias'], {
          leakyrelu_alpha: attr.float(0.1),
        }),
      ],
      weights: { ...KERNEL, ...bias },
    },
  ],
  [
    '_FusedConv2D with Prelu, explicit',
    {
      nodes: [fused('_FusedConv2D', ['BiasAdd', 'Prelu'], ['kernel', 'bias', 'slopes'], explicit)],
      weights: { ...KERNEL, ...bias, slopes: { shape: [1, 1, 4] } },
      on: 'cpu',
    },
  ],
  ...['Relu', 'Relu6', 'Elu', 'Sigmoid'].map((op): [string, Case] => [
    `FusedDepthwiseConv2dNative with ${op}`,
    {
      nodes: [fused('FusedDepthwiseConv2dNative', ['BiasAdd', op], ['kernel', 'bias'])],
      weights: { ...DEPTHWISE, bias: { shape: [12] } },
    },
  ]),
]

const pool = (op: string, padding: string, more = {}): NodeJson => ({
  name: 'y',
  op,
  input: ['x'],
  attr: {
    ksize: attr.ints(1, 3, 2, 1),
    strides: attr.ints(1, 2, 2, 1),
    padding: attr.text(padding),
    data_format: nhwc,
    ...more,
  },
})

const poolings: [string, Case][] = ['MaxPool', 'AvgPool'].flatMap((op): [string, Case][] => [
  [`${op}, same`, { nodes: [pool(op, 'SAME')] }],
  [`${op}, valid`, { nodes: [pool(op, 'VALID')] }],
  [`${op} of any size`, { nodes: [pool(op, 'SAME')], input: [-1, -1, -1, 4] }],
  [`${op}, small steps`, { nodes: [pool(op, 'SAME', { strides: attr.ints(1, 1, 1, 1) })] }],
])

const reductions: [string, Case][] = ['Mean', 'Max', 'Min', 'Sum', 'Prod'].flatMap((op) =>
  [[1, 2], [-1], [1], [2, 3], [1, 2, 3]].flatMap((axes) =>
    // A result with the batch axis alone is no cut.
    (axes.length < 3 ? [true, false] : [true]).flatMap((keep) =>
      inBothLayouts(
        `${op} over ${axes}${keep ? ', kept' : ''}`,
        (input) => ({
          name: 'y',
          op,
          input: [input, 'axes'],
          attr: { keep_dims: attr.bool(keep) },
        }),
        { weights: { axes: ints(...axes) } },
      ),
    ),
  ),
)

const matrices: [string, Case][] = [
  ...[true, false].flatMap((transposed): [string, Case][] => [
    [
      `MatMul${transposed ? ', transposed' : ''}`,
      {
        input: [-1, 7],
        nodes: [
          unary('MatMul', {
            input: ['x', 'b'],
            attr: { transpose_a: attr.bool(false), transpose_b: attr.bool(transposed) },
          }),
        ],
        weights: { b: { shape: transposed ? [5, 7] : [7, 5] } },
      },
    ],
    [
      `BatchMatMulV2 of a tensor and itself${transposed ? ', transposed' : ''}`,
      {
        input: [-1, 2, 5, 5],
        nodes: [
          unary('BatchMatMulV2', {
            input: ['x', 'x'],
            attr: { adj_x: attr.bool(false), adj_y: attr.bool(transposed) },
          }),
        ],
      },
    ],
  ]),
  [
    'BatchMatMulV2 with one matrix for all',
    {
      input: [-1, 5, 7],
      nodes: [unary('BatchMatMulV2', { input: ['x', 'b'], attr: { adj_x: attr.bool(true) } })],
      weights: { b: { shape: [1, 5, 3] } },
    },
  ],
  ...['Relu', 'Relu6', 'Elu', 'Sigmoid', 'LeakyRelu'].map((op): [string, Case] => [
    `_FusedMatMul with ${op}`,
    {
      input: [-1, 7],
      nodes: [
        unary('_FusedMatMul', {
          input: ['x', 'b', 'bias'],
          attr: { fused_ops: attr.texts('BiasAdd', op), num_args: attr.int(1) },
        }),
      ],
      weights: { b: { shape: [7, 5] }, bias: { shape: [5] } },
    },
  ]),
  [
    '_FusedMatMul with a bias, transposed',
    {
      input: [-1, 7],
      nodes: [
        unary('_FusedMatMul', {
          input: ['x', 'b', 'bias'],
          attr: {
            fused_ops: attr.texts('BiasAdd'),
            num_args: attr.int(1),
            transpose_b: attr.bool(true),
          },
        }),
      ],
      weights: { b: { shape: [5, 7] }, bias: { shape: [5] } },
      // TF.js on wasm leaves the bias out of a transposed product.
      on: 'cpu',
    },
  ],
  [
    '_FusedMatMul with Prelu',
    {
      input: [-1, 7],
      nodes: [
        unary('_FusedMatMul', {
          input: ['x', 'b', 'bias', 'slopes'],
          attr: { fused_ops: attr.texts('BiasAdd', 'Prelu'), num_args: attr.int(2) },
        }),
      ],
      weights: { b: { shape: [7, 5] }, bias: { shape: [5] }, slopes: { shape: [5] } },
    },
  ],
]

const PADDING: Record<string, WeightJson> = {
  paddings: { shape: [4, 2], values: [0, 0, 1, 2, 3, 0, 1, 0], dtype: 'int32' },
}

const paddings: [string, Case][] = [
  ...inBothLayouts('Pad', (input) => unary('Pad', { input: [input, 'paddings'] }), {
    weights: PADDING,
  }),
  ...inBothLayouts('PadV2', (input) => unary('PadV2', { input: [input, 'paddings', 'value'] }), {
    weights: { ...PADDING, value: { shape: [], values: [-2.5] } },
  }),
  ...inBothLayouts(
    'MirrorPad',
    (input) =>
      unary('MirrorPad', { input: [input, 'paddings'], attr: { mode: attr.text('REFLECT') } }),
    { weights: PADDING },
  ),
]

const shapes: [string, Case][] = [
  ...inBothLayouts('Reshape', (input) => unary('Reshape', { input: [input, 'shape'] }), {
    weights: { shape: ints(-1, 120) },
  }),
  ...inBothLayouts(
    'Reshape to one more axis',
    (input) => unary('Reshape', { input: [input, 'shape'] }),
    {
      weights: { shape: ints(-1, 2, 3, 5, 4) },
    },
  ),
  ...inBothLayouts('ExpandDims', (input) => unary('ExpandDims', { input: [input, 'axis'] }), {
    weights: { axis: int(-2) },
  }),
  ...[
    [0, 3, 1, 2],
    [0, 2, 3, 1],
    [0, 2, 1, 3],
    [0, 1, 3, 2],
  ].flatMap((perm) =>
    inBothLayouts(`Transpose ${perm}`, (input) => unary('Transpose', { input: [input, 'perm'] }), {
      weights: { perm: ints(...perm) },
    }),
  ),
  [
    'Transpose around a convolution, as channels-first frameworks export it',
    {
      input: [-1, 4, 6, 5],
      nodes: [
        { name: 'last', op: 'Transpose', input: ['x', 'toLast'] },
        conv('conv', 'last'),
        { name: 'first', op: 'Transpose', input: ['conv', 'toFirst'] },
        { name: 'y', op: 'Relu', input: ['first'] },
        { name: 'again', op: 'Transpose', input: ['y', 'toLast'] },
        conv('z', 'again'),
      ],
      weights: { ...KERNEL, toLast: ints(0, 2, 3, 1), toFirst: ints(0, 3, 1, 2) },
    },
  ],
  [
    'Squeeze after a pooling, then Reshape to one pixel and a convolution',
    {
      nodes: [
        conv(),
        {
          name: 'pooled',
          op: 'Mean',
          input: ['conv', 'axes'],
          attr: { keep_dims: attr.bool(true) },
        },
        { name: 'flat', op: 'Squeeze', input: ['pooled'], attr: { squeeze_dims: attr.ints(1, 2) } },
        { name: 'pixel', op: 'Reshape', input: ['flat', 'shape'] },
        conv('y', 'pixel'),
        { name: 'end', op: 'Reshape', input: ['y', 'flatShape'] },
      ],
      weights: { ...KERNEL, axes: ints(1, 2), shape: ints(-1, 1, 1, 4), flatShape: ints(-1, 4) },
    },
  ],
  [
    'Squeeze of one axis',
    {
      input: [-1, 1, 5, 1],
      nodes: [unary('Squeeze', { attr: { axis: attr.ints(-1) } })],
    },
  ],
  [
    'the flatten of converters: Shape, StridedSlice, Pack, Reshape',
    {
      nodes: [
        conv(),
        { name: 'shape', op: 'Shape', input: ['conv'] },
        {
          name: 'batch',
          op: 'StridedSlice',
          input: ['shape', 'zero', 'one', 'one'],
          attr: { shrink_axis_mask: attr.int(1) },
        },
        { name: 'target', op: 'Pack', input: ['batch', 'rest'], attr: { axis: attr.int(0) } },
        { name: 'y', op: 'Reshape', input: ['conv', 'target'] },
      ],
      weights: { ...KERNEL, zero: ints(0), one: ints(1), rest: int(-1) },
    },
  ],
  [
    'the flatten of an image of any size, by the product of its sides',
    {
      input: [-1, -1, -1, 4],
      nodes: [
        conv(),
        { name: 'shape', op: 'Shape', input: ['conv'] },
        { name: 'sides', op: 'StridedSlice', input: ['shape', 'one', 'three', 'step'] },
        { name: 'pixels', op: 'Prod', input: ['sides', 'axis'] },
        { name: 'batch', op: 'GatherV2', input: ['shape', 'index', 'zero'] },
        { name: 'target', op: 'Pack', input: ['batch', 'pixels', 'four'] },
        { name: 'y', op: 'Reshape', input: ['conv', 'target'] },
      ],
      weights: {
        ...KERNEL,
        one: ints(1),
        three: ints(3),
        step: ints(1),
        axis: ints(0),
        index: int(0),
        zero: int(0),
        four: int(4),
      },
    },
  ],
  [
    'heads of attention: Shape, Slice, ConcatV2, Mul',
    {
      input: [-1, 6, 8],
      nodes: [
        { name: 'shape', op: 'Shape', input: ['x'] },
        { name: 'front', op: 'Slice', input: ['shape', 'begin', 'size'] },
        { name: 'half', op: 'Mul', input: ['two', 'two2'] },
        { name: 'list', op: 'ExpandDims', input: ['half', 'axis'] },
        {
          name: 'target',
          op: 'ConcatV2',
          input: ['front', 'list', 'list2', 'axis'],
          attr: { N: attr.int(3) },
        },
        { name: 'y', op: 'Reshape', input: ['x', 'target'] },
        { name: 'z', op: 'Transpose', input: ['y', 'perm'] },
      ],
      weights: {
        begin: ints(0),
        size: ints(2),
        two: int(2),
        two2: int(2),
        axis: int(0),
        list2: ints(2),
        perm: ints(0, 2, 1, 3),
      },
    },
  ],
]

const strided = (
  begin: number[],
  end: number[],
  steps: number[],
  masks: Record<string, number>,
): ((input: string) => NodeJson) => {
  const entries = Object.entries(masks).map(([name, mask]) => [`${name}_mask`, attr.int(mask)])
  return (input) => ({
    name: 'y',
    op: 'StridedSlice',
    input: [input, `${begin}`, `${end} `, `${steps}  `],
    attr: Object.fromEntries(entries) as Record<string, unknown>,
  })
}
const stridedCase = (
  title: string,
  begin: number[],
  end: number[],
  steps: number[],
  masks: Record<string, number>,
): [string, Case][] =>
  inBothLayouts(`StridedSlice ${title}`, strided(begin, end, steps, masks), {
    weights: {
      [`${begin}`]: ints(...begin),
      [`${end} `]: ints(...end),
      [`${steps}  `]: ints(...steps),
    },
  })

const slices: [string, Case][] = [
  ...inBothLayouts('Slice', (input) => unary('Slice', { input: [input, 'begin', 'size'] }), {
    weights: { begin: ints(0, 2, 1, 1), size: ints(-1, 3, -1, 2) },
  }),
  ...stridedCase('x[:, 1:5:2, :-1]', [0, 1, 0], [0, 5, -1], [1, 2, 1], { begin: 5, end: 1 }),
  ...stridedCase('x[:, 2]', [0, 2], [0, 3], [1, 1], { begin: 1, end: 1, shrink_axis: 2 }),
  ...stridedCase('x[..., -1]', [0, -1], [0, 0], [1, 1], { ellipsis: 1, shrink_axis: 2 }),
  ...stridedCase('x[:, newaxis, 1:]', [0, 0, 1], [0, 0, 0], [1, 1, 1], {
    begin: 1,
    end: 5,
    new_axis: 2,
  }),
  ...inBothLayouts(
    'Split, joined in another order',
    (input) =>
      unary('Split', { name: 'parts', input: ['axis', input], attr: { num_split: attr.int(2) } }),
    { weights: { axis: int(3) } },
  ).map(([title, { nodes, ...rest }]): [string, Case] => [
    title,
    {
      ...rest,
      nodes: [
        ...nodes,
        {
          name: 'y',
          op: 'ConcatV2',
          input: ['parts:1', 'parts', 'axis'],
          attr: { N: attr.int(2) },
        },
      ],
    },
  ]),
  [
    'SplitV',
    {
      nodes: [
        unary('SplitV', { name: 'parts', input: ['x', 'sizes', 'axis'] }),
        { name: 'y', op: 'Neg', input: ['parts:2'] },
      ],
      weights: { sizes: ints(1, -1, 2), axis: int(1) },
    },
  ],
  [
    'Unpack and Pack',
    {
      nodes: [
        unary('Unpack', { name: 'rows', attr: { axis: attr.int(1) } }),
        { name: 'y', op: 'Pack', input: ['rows:3', 'rows:1'], attr: { axis: attr.int(2) } },
      ],
    },
  ],
  ...inBothLayouts('GatherV2', (input) => unary('GatherV2', { input: [input, 'at', 'axis'] }), {
    weights: { at: ints(3, 0, 0), axis: int(3) },
  }),
  [
    'Gather of one row',
    {
      nodes: [unary('GatherV2', { input: ['x', 'at', 'axis'] })],
      weights: { at: int(2), axis: int(1) },
    },
  ],
  ...inBothLayouts('Tile', (input) => unary('Tile', { input: [input, 'repeats'] }), {
    weights: { repeats: ints(1, 2, 1, 3) },
  }),
  ...inBothLayouts(
    'ConcatV2 of rows',
    (input) => unary('ConcatV2', { input: [input, 'x', 'axis'], attr: { N: attr.int(2) } }),
    { weights: { axis: int(1) } },
  ),
  [
    'Cast of whole numbers and of floats',
    {
      nodes: [
        { name: 'floats', op: 'Cast', input: ['numbers'], attr: { DstT: attr.type('DT_FLOAT') } },
        { name: 'same', op: 'Cast', input: ['x'], attr: { DstT: attr.type('DT_FLOAT') } },
        { name: 'y', op: 'Mul', input: ['same', 'floats'] },
      ],
      weights: { numbers: ints(1, 2, 3, 4) },
    },
  ],
]

const resize = (op: string, size: number[], aligned: boolean, half: boolean): [string, Case][] =>
  inBothLayouts(
    `${op} to ${size}${aligned ? ', aligned' : ''}${half ? ', half pixels' : ''}`,
    (input) => ({
      name: 'y',
      op,
      input: [input, 'size'],
      attr: { align_corners: attr.bool(aligned), half_pixel_centers: attr.bool(half) },
    }),
    { weights: { size: ints(...size) } },
  )

const images: [string, Case][] = [
  ...[
    [12, 10],
    [7, 11],
    [3, 2],
    [1, 1],
  ].flatMap((size) => [
    ...resize('ResizeBilinear', size, false, false),
    ...resize('ResizeBilinear', size, false, true),
    ...resize('ResizeBilinear', size, true, false),
  ]),
  ...[
    [6, 5],
    [12, 10],
    [18, 20],
  ].flatMap((size) => [
    ...resize('ResizeNearestNeighbor', size, false, false),
    ...resize('ResizeNearestNeighbor', size, false, true),
  ]),
]

const KINDS = {
  activations,
  arithmetic,
  normalizations,
  convolutions,
  poolings,
  reductions,
  matrices,
  paddings,
  shapes,
  slices,
  images,
}

describe.each(Object.entries(KINDS))('%s', (_, cases) => {
  beforeAll(() => useBackend('wasm'))

  it.each(cases)('%s', async (_title, { input = IMAGE, nodes, weights, offset = 0, on }) => {
    await useBackend(on ?? 'wasm')
    const base = graphBase({ input, nodes, ...(weights === undefined ? {} : { weights }) })
    const [, ...sides] = input.map((size, axis) => (size === -1 ? (IMAGE[axis] ?? 1) : size))
    const shape = [BATCH, ...sides]
    const x = noise(sizeOfShape(shape)).map((value) => value + offset)
    const { compiled } = await expectSameAsTfjs(base, x, shape)
    expect(compiled.unsupported).toEqual([])
    expect(new Set(compiled.cuts)).toEqual(new Set(await cutsOfTfjs(base)))
  })
})
