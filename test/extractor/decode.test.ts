import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../src/extractor/decode.js'
import type { ImageInput } from '../../src/extractor/spec.js'
import { sha256 } from '../../src/identity/hash.js'
import { encode, FORMATS, imageInput, picture } from '../support/images.js'

const decode = (content: Uint8Array, input: Partial<ImageInput> = {}): Promise<Uint8Array> =>
  decodeImage(content, sha256(content), imageInput(input), { kind: 'plain' })

/** RGB at column x and row y of a decoded image. */
const at = (pixels: Uint8Array, x: number, y: number, width = 8): number[] => [
  ...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
]

const largestDifference = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - (b[i] ?? 999))), 0)

interface Colour {
  readonly r: number
  readonly g: number
  readonly b: number
  readonly alpha?: number
}

const RED = { r: 255, g: 0, b: 0 }
const plain = (width: number, height: number, background: Colour): Sharp =>
  sharp({ create: { width, height, channels: background.alpha === undefined ? 3 : 4, background } })

describe('the pixels of an image', () => {
  it.each(FORMATS)('%s: are those that were encoded', async (format) => {
    const original = await picture(24, 16).raw().toBuffer()
    const content = await encode(picture(24, 16), format)
    const pixels = await decode(content, { size: [16, 24] })
    const allowed = { jpeg: 20, png: 0, webp: 0, gif: 60, avif: 2, tiff: 0 }[format]
    expect(pixels.length).toBe(16 * 24 * 3)
    expect(largestDifference(pixels, original)).toBeLessThanOrEqual(allowed)
  })

  it.each(FORMATS)('%s: are the same every time, alone or many at once', async (format) => {
    const content = await encode(picture(50, 40), format)
    const alone = await decode(content)
    const many = await Promise.all(Array.from({ length: 12 }, () => decode(content)))
    for (const pixels of many) expect(pixels).toEqual(alone)
  })

  it('of an animated GIF are those of its first frame', async () => {
    const frame = (background: Colour) => plain(10, 10, background).png().toBuffer()
    const frames = [await frame(RED), await frame({ r: 0, g: 0, b: 255 })]
    const content = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer()
    expect((await sharp(content, { animated: true }).metadata()).pages).toBe(2)
    expect(at(await decode(content), 4, 4)).toEqual([255, 0, 0])
  })

  it('of a TIFF with several pages are those of its first', async () => {
    const page = (background: Colour) => plain(10, 10, background).png().toBuffer()
    const pages = [await page(RED), await page({ r: 0, g: 0, b: 255 })]
    const content = await sharp(pages, { join: { animated: true } })
      .tiff({ compression: 'lzw' })
      .toBuffer()
    expect((await sharp(content).metadata()).pages).toBe(2)
    expect(at(await decode(content), 4, 4)).toEqual([255, 0, 0])
  })

  // EXIF: how the stored image must be turned to stand upright.
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'stand upright with EXIF orientation %i',
    async (orientation) => {
      const [width, height] = [24, 16]
      const upright = picture(width, height)
      const undo: Record<number, (image: Sharp) => Sharp> = {
        1: (image) => image,
        2: (image) => image.flop(),
        3: (image) => image.rotate(180),
        4: (image) => image.flip(),
        5: (image) => image.rotate(270).flop(),
        6: (image) => image.rotate(270),
        7: (image) => image.rotate(90).flop(),
        8: (image) => image.rotate(90),
      }
      const turn = undo[orientation] as (image: Sharp) => Sharp
      // Through raw pixels step by step: sharp applies rotate and flop in an order of its own.
      const stored = sharp(
        await turn(sharp(await upright.png().toBuffer()))
          .png()
          .toBuffer(),
      )
      const content = await stored.withMetadata({ orientation }).png().toBuffer()
      expect((await sharp(content).metadata()).orientation).toBe(orientation)
      const expected = await picture(width, height).raw().toBuffer()
      expect(Buffer.compare(await decode(content, { size: [height, width] }), expected)).toBe(0)
    },
  )

  it('are laid on the stated colour where they are transparent', async () => {
    const content = await plain(20, 20, { ...RED, alpha: 0 })
      .png()
      .toBuffer()
    expect(at(await decode(content, { background: [10, 20, 30] }), 3, 3)).toEqual([10, 20, 30])
    expect(at(await decode(content), 3, 3)).toEqual([255, 255, 255])
  })

  it.each(['png', 'webp', 'avif', 'tiff'] as const)(
    '%s: are mixed with the stated colour where they are half transparent',
    async (format) => {
      const content = await encode(plain(20, 20, { ...RED, alpha: 0.5 }), format)
      const [r = 0, g = 0, b = 0] = at(await decode(content, { background: [0, 0, 200] }), 3, 3)
      expect(Math.abs(r - 128)).toBeLessThanOrEqual(2)
      expect(g).toBeLessThanOrEqual(2)
      expect(Math.abs(b - 100)).toBeLessThanOrEqual(2)
    },
  )

  it.each(['jpeg', 'png', 'webp', 'tiff'] as const)(
    '%s: have three equal channels where the image is gray',
    async (format) => {
      const gray = picture(24, 16).greyscale().toColourspace('b-w')
      const pixels = await decode(await encode(gray, format), { size: [16, 24] })
      expect(pixels.length).toBe(16 * 24 * 3)
      const spread = Array.from({ length: 16 * 24 }, (_, i) => {
        const [r = 0, g = 0, b = 0] = at(pixels, i, 0)
        return Math.max(r, g, b) - Math.min(r, g, b)
      })
      expect(Math.max(...spread)).toBe(0)
    },
  )

  it('of gray with alpha are laid on the stated colour', async () => {
    const gray = plain(20, 20, { r: 0, g: 0, b: 0, alpha: 0 }).toColourspace('b-w')
    const content = await gray.png().toBuffer()
    expect((await sharp(content).metadata()).channels).toBe(2)
    expect(at(await decode(content, { background: [7, 8, 200] }), 3, 3)).toEqual([7, 8, 200])
  })

  it.each(['b-w', 'grey16'])('of %s get bars of the stated colour', async (space) => {
    const gray = plain(20, 10, { r: 90, g: 90, b: 90 }).toColourspace(space)
    const content = await gray.png().toBuffer()
    const pixels = await decode(content, { fit: 'contain', background: [7, 8, 200] })
    expect([at(pixels, 4, 0), at(pixels, 4, 4)]).toEqual([
      [7, 8, 200],
      [90, 90, 90],
    ])
  })

  it('of 16 bits a channel are scaled to 8, not cut off', async () => {
    const values = Uint16Array.from({ length: 8 * 8 * 3 }, (_, i) => (i * 65_535) / (8 * 8 * 3 - 1))
    const raw = sharp(values, { raw: { width: 8, height: 8, channels: 3 } })
    const content = await raw.toColourspace('rgb16').png().toBuffer()
    expect((await sharp(content).metadata()).depth).toBe('ushort')
    const expected = Uint8Array.from(values, (value) => value >> 8)
    expect(largestDifference(await decode(content), expected)).toBeLessThanOrEqual(1)
  })

  it('of a CMYK JPEG are RGB', async () => {
    const content = await plain(20, 20, RED).toColourspace('cmyk').jpeg().toBuffer()
    expect((await sharp(content).metadata()).space).toBe('cmyk')
    const [r = 0, g = 0, b = 0] = at(await decode(content), 3, 3)
    expect(r).toBeGreaterThan(200)
    expect(Math.max(g, b)).toBeLessThan(80)
  })

  it('of a palette image are its colours', async () => {
    const content = await plain(20, 20, RED).png({ palette: true }).toBuffer()
    expect(at(await decode(content), 3, 3)).toEqual([255, 0, 0])
  })
})

describe('another aspect ratio', () => {
  // 40 x 20: left half red, right half blue.
  const wide = async (): Promise<Buffer> =>
    plain(40, 20, { r: 0, g: 0, b: 255 })
      .composite([{ input: await plain(20, 20, RED).png().toBuffer(), left: 0, top: 0 }])
      .png()
      .toBuffer()

  it('is squeezed by fill', async () => {
    const pixels = await decode(await wide(), { fit: 'fill' })
    expect([at(pixels, 0, 0), at(pixels, 7, 7)]).toEqual([
      [255, 0, 0],
      [0, 0, 255],
    ])
  })

  it('is cut about the centre by cover', async () => {
    const content = await plain(40, 20, { r: 0, g: 255, b: 0 })
      .composite([{ input: await plain(20, 20, RED).png().toBuffer(), left: 10, top: 0 }])
      .png()
      .toBuffer()
    const pixels = await decode(content, { fit: 'cover', kernel: 'nearest' })
    for (let x = 0; x < 8; x += 1) expect(at(pixels, x, 4)).toEqual([255, 0, 0])
  })

  it('gets bars of the stated colour by contain', async () => {
    const pixels = await decode(await wide(), { fit: 'contain', background: [1, 2, 3] })
    expect([at(pixels, 4, 0), at(pixels, 4, 7)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect([at(pixels, 0, 4), at(pixels, 7, 4)]).toEqual([
      [255, 0, 0],
      [0, 0, 255],
    ])
  })

  it('gets bars of the stated colour by contain behind transparent pixels, too', async () => {
    const content = await plain(40, 20, { ...RED, alpha: 0 })
      .png()
      .toBuffer()
    const pixels = await decode(content, { fit: 'contain', background: [1, 2, 3] })
    expect(new Set([...pixels])).toEqual(new Set([1, 2, 3]))
  })

  it('and another kernel give other pixels', async () => {
    const content = await encode(picture(60, 60), 'png')
    const kernels = ['nearest', 'linear', 'cubic', 'mitchell', 'lanczos2', 'lanczos3'] as const
    const all = await Promise.all(kernels.map(async (kernel) => decode(content, { kernel })))
    expect(new Set(all.map((pixels) => sha256(pixels))).size).toBe(kernels.length)
  })
})
