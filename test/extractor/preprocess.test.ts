import { describe, expect, it } from 'vitest'
import { createNormalise } from '../../src/extractor/normalise.js'
import { preprocessSchema, resolveImageInput } from '../../src/extractor/preprocess.js'
import { imageInput } from '../support/images.js'

const VALUES = Array.from({ length: 256 }, (_, value) => value)

/** Float32 values, one row of three for each of 256 gray-free pixels, through our own code. */
const normalised = (preprocess: object): { rows: number[][]; pixels: number[][] } => {
  const input = resolveImageInput(preprocessSchema.parse(preprocess), [16, 16])
  const pixels = VALUES.map((value) => [value, 255 - value, (value * 7) % 256])
  const values = createNormalise(input)(Uint8Array.from(pixels.flat()))
  const rows = pixels.map((_, i) => [...values.subarray(i * 3, i * 3 + 3)])
  return { rows, pixels }
}

type Pixel = readonly number[]
const map = (pixel: Pixel, change: (value: number, channel: number) => number): number[] =>
  pixel.map(change)
const reversed = (pixel: Pixel): number[] => [...pixel].reverse()

// keras/src/applications/imagenet_utils.py, _preprocess_numpy_input, written down anew.
const TORCH_MEAN = [0.485, 0.456, 0.406]
const TORCH_STD = [0.229, 0.224, 0.225]
const CAFFE_MEAN = [103.939, 116.779, 123.68]
const REFERENCE: Readonly<Record<string, (pixel: Pixel) => number[]>> = {
  '0..255': (pixel) => [...pixel],
  '0..1': (pixel) => map(pixel, (value) => value / 255),
  '-1..1': (pixel) => map(pixel, (value) => value / 127.5 - 1),
  caffe: (pixel) => map(reversed(pixel), (value, c) => value - (CAFFE_MEAN[c] ?? 0)),
  torch: (pixel) =>
    map(pixel, (value, c) => (value / 255 - (TORCH_MEAN[c] ?? 0)) / (TORCH_STD[c] ?? 1)),
}

const expectClose = (rows: readonly Pixel[], expected: readonly Pixel[]): void => {
  rows.forEach((row, i) => {
    row.forEach((value, c) => {
      const wanted = expected[i]?.[c] ?? Number.NaN
      expect(Math.abs(value - wanted)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(wanted)))
    })
  })
}

describe('a range preset', () => {
  it.each(Object.keys(REFERENCE))('%s is the formula of Keras', (range) => {
    const { rows, pixels } = normalised({ range })
    expectClose(rows, pixels.map(REFERENCE[range] as (pixel: Pixel) => number[]))
  })

  it('is 0..1 where nothing is said', () => {
    expect(normalised({})).toEqual(normalised({ range: '0..1' }))
  })

  it.each(Object.keys(REFERENCE))(
    '%s keeps the numbers of each colour in the other channel order',
    (range) => {
      const other = range === 'caffe' ? 'rgb' : 'bgr'
      const { rows } = normalised({ range })
      expect(normalised({ range, channels: other }).rows).toEqual(rows.map(reversed))
    },
  )
})

describe('explicit numbers', () => {
  it('scale and offset count in the order of the channels', () => {
    const numbers = { scale: [1, 2, 3], offset: [10, 20, 30] }
    const rgb = normalised(numbers)
    expect(rgb.rows).toEqual(
      rgb.pixels.map(([r = 0, g = 0, b = 0]) => [r + 10, g * 2 + 20, b * 3 + 30]),
    )
    const bgr = normalised({ ...numbers, channels: 'bgr' })
    expect(bgr.rows).toEqual(
      bgr.pixels.map(([r = 0, g = 0, b = 0]) => [b + 10, g * 2 + 20, r * 3 + 30]),
    )
  })

  it('mean and std count in pixels of 0..255', () => {
    const [mean, std] = [
      [120, 110, 100],
      [60, 50, 40],
    ] as const
    const { rows, pixels } = normalised({ mean, std })
    const formula = (value: number, c: number) => (value - (mean[c] ?? 0)) / (std[c] ?? 1)
    expectClose(
      rows,
      pixels.map((pixel) => map(pixel, formula)),
    )
  })

  it('that are left out change nothing', () => {
    const { pixels } = normalised({})
    expect(normalised({ scale: [1, 1, 1] }).rows).toEqual(pixels)
    expect(normalised({ offset: [0, 0, 0] }).rows).toEqual(pixels)
    expect(normalised({ std: [1, 1, 1] }).rows).toEqual(pixels)
  })
})

describe('normalisation', () => {
  it.each(['rgb', 'bgr'] as const)(
    '%s is float32(p * scale + offset) for all 256 values of each channel',
    (channels) => {
      const [scale, offset] = [
        [1 / 255, 1 / 127.5, 0.0123],
        [-0.1, 1e-7, 1234.5],
      ]
      const input = imageInput({
        channels,
        scale: scale as [number, number, number],
        offset: offset as [number, number, number],
      })
      const values = createNormalise(input)(
        Uint8Array.from(VALUES.flatMap((p) => [p, 255 - p, p ^ 85])),
      )
      VALUES.forEach((p) => {
        const source = channels === 'rgb' ? [p, 255 - p, p ^ 85] : [p ^ 85, 255 - p, p]
        source.forEach((value, c) => {
          const exact = Math.fround(value * (scale[c] ?? 0) + (offset[c] ?? 0))
          expect(values[p * 3 + c]).toBe(exact)
        })
      })
    },
  )

  it('leaves the pixels as they were and makes new values each time', () => {
    const normalise = createNormalise(imageInput())
    const pixels = Uint8Array.of(1, 2, 3)
    const [first, second] = [normalise(pixels), normalise(pixels)]
    expect([...pixels]).toEqual([1, 2, 3])
    expect(first).toEqual(second)
    expect(first.buffer).not.toBe(second.buffer)
  })
})

describe('preprocess', () => {
  it.each<[string, object]>([
    ['a range and a scale', { range: 'torch', scale: [1, 1, 1] }],
    ['a range and a mean', { range: '0..1', mean: [1, 1, 1] }],
    ['an offset and a std', { offset: [1, 1, 1], std: [1, 1, 1] }],
    ['all of them', { range: 'caffe', scale: [1, 1, 1], mean: [0, 0, 0] }],
    ['an unknown member', { rangee: '0..1' }],
    ['an unknown range', { range: '0..2' }],
    ['a size of no pixels', { size: [0, 224] }],
    ['a size of fractions', { size: [224.5, 224] }],
    ['a size beyond 4096', { size: [224, 5000] }],
    ['a std of zero', { std: [1, 0, 1] }],
    ['a background that is no colour', { background: [0, 0, 256] }],
    ['an infinite scale', { scale: [1, Number.POSITIVE_INFINITY, 1] }],
  ])('refuses %s', (_, preprocess) => {
    expect(preprocessSchema.safeParse(preprocess).success).toBe(false)
  })

  it('is resolved to a complete input: nothing is left out', () => {
    expect(resolveImageInput(preprocessSchema.parse({}), [96, 64])).toEqual({
      kind: 'image',
      size: [96, 64],
      fit: 'fill',
      kernel: 'linear',
      background: [255, 255, 255],
      channels: 'rgb',
      scale: [1 / 255, 1 / 255, 1 / 255],
      offset: [0, 0, 0],
    })
  })
})
