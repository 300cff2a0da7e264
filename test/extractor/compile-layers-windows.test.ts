// Sliding windows of any size, stride, dilation and padding over inputs of any size.
import { layers as l } from '@tensorflow/tfjs-layers'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { compileLayersModel } from '../../src/extractor/compile/layers-model.js'
import { useBackend } from '../support/graph-models.js'
import { chainOf, expectSameAsTfjs, type Layer, type Size } from '../support/layers-models.js'

beforeAll(() => useBackend('cpu'))

const RUNS = 25
const pair = (max: number) => fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }))

interface Window {
  readonly size: [number, number]
  readonly kernel: [number, number]
  readonly strides: [number, number]
  readonly padding: 'same' | 'valid'
  readonly dilation: number
}

const windows: fc.Arbitrary<Window> = fc.record({
  size: fc.tuple(fc.integer({ min: 5, max: 12 }), fc.integer({ min: 5, max: 12 })),
  kernel: pair(4),
  strides: pair(4),
  padding: fc.constantFrom('same', 'valid'),
  dilation: fc.constant(1),
})

/** Strides that skip no pixel. */
const touching = windows.map((window): Window => {
  const [height, width] = window.kernel
  const [down, right] = window.strides
  const one = height === 1 && width === 1
  return one ? window : { ...window, strides: [Math.min(height, down), Math.min(width, right)] }
})

/** TF.js refuses a stride together with a dilation, and pixels are enough for a window of 4 * 1 + 1. */
const dilated = windows.map(
  (window): Window => ({ ...window, kernel: [2, 3], strides: [1, 1], dilation: 2 }),
)

const CHANNELS = 3
const sizeOf = ({ size }: Window): Size => [...size, CHANNELS]

type Make = (window: Window) => Layer
const convolution: Make = ({ kernel: kernelSize, strides, padding, dilation: dilationRate }) =>
  l.conv2d({ filters: 2, kernelSize, strides, padding, dilationRate })
/** TF.js takes no other strides there. */
const square = ({ strides }: Window): [number, number] => [
  Math.min(...strides),
  Math.min(...strides),
]

const sliding: readonly (readonly [string, Make])[] = [
  ['conv2d', convolution],
  ['max pooling', ({ kernel: poolSize, ...rest }) => l.maxPooling2d({ poolSize, ...rest })],
  ['average pooling', ({ kernel: poolSize, ...rest }) => l.averagePooling2d({ poolSize, ...rest })],
  [
    'depthwise conv2d',
    (window) =>
      l.depthwiseConv2d({
        kernelSize: window.kernel,
        strides: square(window),
        padding: window.padding,
        depthMultiplier: 2,
      }),
  ],
  [
    'separable conv2d',
    (window) =>
      l.separableConv2d({
        filters: 2,
        kernelSize: window.kernel,
        strides: square(window),
        padding: window.padding,
      }),
  ],
  [
    'transposed conv2d',
    ({ kernel: kernelSize, strides, padding }) =>
      l.conv2dTranspose({ filters: 2, kernelSize, strides, padding }),
  ],
]

describe.each(sliding)('%s', (_, make) => {
  it('gives what TF.js gives, whatever its window', () =>
    fc.assert(
      fc.asyncProperty(windows, async (window) => {
        await expectSameAsTfjs(chainOf(sizeOf(window), make(window)))
      }),
      { numRuns: RUNS, seed: 4 },
    ))

  it('gives what TF.js gives where the size of the input is left open', () =>
    fc.assert(
      fc.asyncProperty(touching, async (window) => {
        await expectSameAsTfjs(chainOf([null, null, CHANNELS], make(window)), window.size)
      }),
      { numRuns: RUNS, seed: 5 },
    ))
})

describe('a padding with zeros', () => {
  const pooling = sliding.filter(([name]) => !name.startsWith('transposed'))
  it.each(pooling)('before a %s counts as zeros, also among negative values', (_, make) =>
    fc.assert(
      fc.asyncProperty(windows, async (window) => {
        const padding = l.zeroPadding2d({
          padding: [
            [1, 2],
            [2, 0],
          ],
        })
        const negative = l.rescaling({ scale: 1, offset: -9 })
        await expectSameAsTfjs(chainOf(sizeOf(window), negative, padding, make(window)))
      }),
      { numRuns: RUNS, seed: 7 },
    ),
  )
})

describe('a dilation', () => {
  it.each<[string, Make]>([
    ['conv2d', convolution],
    [
      'separable conv2d',
      ({ kernel: kernelSize, padding, dilation: dilationRate }) =>
        l.separableConv2d({ filters: 2, kernelSize, padding, dilationRate }),
    ],
  ])('%s gives what TF.js gives', (_, make) =>
    fc.assert(
      fc.asyncProperty(dilated, async (window) => {
        await expectSameAsTfjs(chainOf(sizeOf(window), make(window)))
      }),
      { numRuns: RUNS, seed: 6 },
    ),
  )

  it.each([
    ['a dilation', { kernelSize: 3, dilationRate: 2 }],
    ['a stride that skips pixels', { kernelSize: [1, 2] as [number, number], strides: 2 }],
  ])('%s is refused with padding where the size of the input is left open', async (_, config) => {
    const layer = l.conv2d({ filters: 2, padding: 'same', name: 'c', ...config })
    const model = chainOf([null, null, CHANNELS], l.reLU({ name: 'r' }), layer)
    const { cuts, unsupported } = await compileLayersModel(model)
    expect(cuts).toEqual(['r'])
    expect(unsupported).toEqual([
      { path: 'c', className: expect.stringMatching(/^Conv2D with padding same/) },
    ])
  })
})
