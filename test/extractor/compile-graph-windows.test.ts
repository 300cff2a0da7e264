// Convolutions and poolings of any size, kernel, stride, dilation and padding against TF.js on its CPU
// backend: on wasm it gives zeros where a stride leaves pixels out.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { isHeadstartError } from '../../src/errors.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { compileGraphModel } from '../../src/extractor/compile/graph-model.js'
import {
  attr,
  expectSameAsTfjs,
  graphBase,
  noise,
  sizeOfShape,
  useBackend,
} from '../support/graph-models.js'

const BATCH = 2
const RUNS = 300

const pair = (min: number, max: number) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }))

const windows = fc
  .record({
    op: fc.constantFrom('Conv2D', 'DepthwiseConv2dNative', 'MaxPool', 'AvgPool'),
    size: pair(1, 13),
    channels: fc.integer({ min: 1, max: 5 }),
    outputs: fc.integer({ min: 1, max: 4 }),
    kernel: pair(1, 5),
    strides: pair(1, 4),
    dilations: pair(1, 3),
    padding: fc.constantFrom('SAME', 'VALID', 'EXPLICIT'),
    pads: fc.tuple(pair(0, 2), pair(0, 2)),
    open: fc.boolean(),
    /** Zeros around the input, by a node of their own. */
    border: fc.oneof(fc.constant(null), fc.tuple(pair(0, 2), pair(0, 2))),
  })
  .map((window) => {
    const pools = window.op.endsWith('Pool')
    return {
      ...window,
      padding: pools && window.padding === 'EXPLICIT' ? 'SAME' : window.padding,
      // TF.js has no dilated poolings here, and no convolution with strides and dilations.
      dilations: pools || window.strides.some((n) => n > 1) ? [1, 1] : window.dilations,
      pools,
    }
  })

type Window = typeof windows extends fc.Arbitrary<infer T> ? T : never

const sizeOf = ({ size, border }: Window, axis: 0 | 1): number => {
  const [before, after] = border?.[axis] ?? [0, 0]
  return size[axis] + before + after
}

const outputSize = (window: Window, axis: 0 | 1): number => {
  const { kernel, strides, dilations, padding, pads } = window
  const stride = strides[axis]
  const size = sizeOf(window, axis)
  if (padding === 'SAME') return Math.ceil(size / stride)
  const added = padding === 'EXPLICIT' ? pads[axis][0] + pads[axis][1] : 0
  const reach = (kernel[axis] - 1) * (dilations[axis] ?? 1) + 1
  return Math.floor((size + added - reach) / stride) + 1
}

const baseOf = (window: Window) => {
  const { op, size, channels, outputs, kernel, strides, dilations, padding, pads, open } = window
  const { border } = window
  const around = (
    border ?? [
      [0, 0],
      [0, 0],
    ]
  ).flat()
  const from = border === null ? 'image' : 'padded'
  const list = ([height = 1, width = 1]: readonly number[]) => attr.ints(1, height, width, 1)
  return graphBase({
    input: open ? [-1, -1, -1, channels] : [-1, ...size, channels],
    nodes: [
      // Brings the channels first, as a convolution does, and changes no value.
      {
        name: 'image',
        op: 'MaxPool',
        input: ['x'],
        attr: { ksize: list([1, 1]), strides: list([1, 1]), padding: attr.text('VALID') },
      },
      ...(border === null ? [] : [{ name: 'padded', op: 'Pad', input: ['image', 'border'] }]),
      {
        name: 'y',
        op,
        input: window.pools ? [from] : [from, 'kernel'],
        attr: {
          strides: list(strides),
          padding: attr.text(padding),
          data_format: attr.text('NHWC'),
          ...(window.pools ? { ksize: list(kernel) } : { dilations: list(dilations) }),
          ...(padding === 'EXPLICIT'
            ? { explicit_paddings: attr.ints(0, 0, ...pads[0], ...pads[1], 0, 0) }
            : {}),
        },
      },
    ],
    weights: {
      kernel: { shape: [...kernel, channels, outputs] },
      border: { shape: [4, 2], dtype: 'int32', values: [0, 0, ...around, 0, 0] },
    },
  })
}

/** Operations that the compiler refuses. */
const refusedBy = async (base: TfjsBase): Promise<string[]> => {
  try {
    return (await compileGraphModel(base)).unsupported.map(({ className }) => className)
  } catch (error) {
    if (!isHeadstartError(error, 'BASE_LAYER_UNKNOWN')) throw error
    return error.details.map((detail) => detail.replace(/^y \((.*)\)$/, '$1'))
  }
}

describe('a window', () => {
  beforeAll(() => useBackend('cpu'))

  it('gives what TF.js gives, or is refused where TF.js cannot slide it or sizes are open', async () => {
    let compared = 0
    await fc.assert(
      fc.asyncProperty(windows, async (window) => {
        const { op, size, channels, kernel, strides, padding, open } = window
        const fits = outputSize(window, 0) > 0 && outputSize(window, 1) > 0
        if (!fits && open) return
        // Open sizes leave the padding to onnxruntime, which starts elsewhere when pixels are left out.
        const skips =
          open && padding === 'SAME' && kernel.some((n, axis) => n < (strides[axis] ?? 1))
        const mixed = skips && strides.some((n) => n > 1)
        if (!fits || mixed) {
          expect(await refusedBy(baseOf(window))).toEqual([op])
          return
        }
        const shape = [BATCH, ...size, channels]
        await expectSameAsTfjs(
          baseOf(window),
          noise(sizeOfShape(shape)).map((value) => value - 0.5),
          shape,
        )
        compared += 1
      }),
      { numRuns: RUNS, seed: 20 },
    )
    expect(compared).toBeGreaterThan(RUNS / 2)
  })
})
