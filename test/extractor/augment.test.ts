import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { drawAugmentation } from '../../src/extractor/augment.js'
import { decodeImage } from '../../src/extractor/decode.js'
import type { AugmentedView } from '../../src/extractor/spec.js'
import { sha256 } from '../../src/identity/hash.js'
import { encode, FORMATS, imageInput, picture } from '../support/images.js'

const VIEW: AugmentedView = {
  kind: 'augmented',
  index: 1,
  seed: 1,
  flip: true,
  crop: { area: [0.35, 1], ratio: [3 / 4, 4 / 3] },
  brightness: 0.2,
  contrast: 0.3,
  saturation: 0.4,
}
/** A view that changes nothing. */
const STILL: AugmentedView = {
  ...VIEW,
  flip: false,
  crop: null,
  brightness: 0,
  contrast: 0,
  saturation: 0,
}
const KEYS = Array.from({ length: 2000 }, (_, i) => sha256(`key ${i}`))
const drawAll = (view: AugmentedView) => KEYS.map((key) => drawAugmentation(view, key, 100, 80))

describe('the draws of a view', () => {
  it('are a function of seed, index and key: the same again, and the same everywhere', () => {
    expect(drawAll(VIEW)).toEqual(drawAll({ ...VIEW }))
    // Computed by a second implementation, in Python.
    expect(drawAugmentation(VIEW, KEYS[0] ?? '', 100, 80)).toEqual({
      flip: false,
      brightness: 1.0150968046858908,
      contrast: 1.2283809906803071,
      saturation: 0.6299053344875574,
      crop: { left: 7, top: 21, width: 65, height: 52 },
    })
  })

  it.each<[string, Partial<AugmentedView>]>([
    ['another seed', { seed: 2 }],
    ['another index', { index: 2 }],
  ])('are others for %s', (_, change) => {
    const others = drawAll({ ...VIEW, ...change })
    const equal = drawAll(VIEW).filter(
      (draw, i) =>
        draw.brightness === others[i]?.brightness || draw.contrast === others[i]?.contrast,
    )
    expect(equal).toEqual([])
  })

  it('are others for every key', () => {
    expect(new Set(drawAll(VIEW).map((draw) => JSON.stringify(draw))).size).toBe(KEYS.length)
  })

  it('do not mix up seed and index', () => {
    const draw = (seed: number, index: number) =>
      drawAugmentation({ ...VIEW, seed, index }, KEYS[0] ?? '', 100, 80)
    expect(draw(1, 11)).not.toEqual(draw(11, 1))
  })

  it('flip about half of the samples, or none where the view says so', () => {
    const flipped = drawAll(VIEW).filter(({ flip }) => flip).length
    // Five standard deviations of a fair coin.
    expect(Math.abs(flipped - KEYS.length / 2)).toBeLessThan(5 * Math.sqrt(KEYS.length / 4))
    expect(drawAll({ ...VIEW, flip: false }).some(({ flip }) => flip)).toBe(false)
  })

  it('spread each factor over its whole range, evenly about 1', () => {
    for (const factor of ['brightness', 'contrast', 'saturation'] as const) {
      const drawn = drawAll(VIEW).map((draw) => draw[factor])
      const [low, high] = [1 - VIEW[factor], 1 + VIEW[factor]]
      expect(drawn.every((value) => value >= low && value <= high)).toBe(true)
      expect(Math.min(...drawn)).toBeLessThan(low + 0.02)
      expect(Math.max(...drawn)).toBeGreaterThan(high - 0.02)
      expect(drawn.reduce((a, b) => a + b) / drawn.length).toBeCloseTo(1, 1)
    }
  })

  it('crop whole pixels inside of the image, of an area and a ratio near to what is asked for', () => {
    const size = fc.integer({ min: 1, max: 3000 })
    const bound = fc.double({ min: 0.05, max: 1, noNaN: true })
    const aspect = fc.double({ min: 0.2, max: 5, noNaN: true })
    fc.assert(
      fc.property(
        size,
        size,
        fc.tuple(bound, bound),
        fc.tuple(aspect, aspect),
        fc.nat(1999),
        (width, height, areas, ratios, i) => {
          const sorted = (pair: readonly [number, number]): [number, number] =>
            pair[0] < pair[1] ? [pair[0], pair[1]] : [pair[1], pair[0]]
          const view = { ...VIEW, crop: { area: sorted(areas), ratio: sorted(ratios) } }
          const { crop } = drawAugmentation(view, KEYS[i] ?? '', width, height)
          const {
            left,
            top,
            width: w,
            height: h,
          } = crop ?? { left: -1, top: 0, width: 0, height: 0 }
          expect([left, top, w, h].every(Number.isInteger)).toBe(true)
          expect(Math.min(left, top)).toBeGreaterThanOrEqual(0)
          expect(Math.min(w, h)).toBeGreaterThanOrEqual(1)
          expect(left + w).toBeLessThanOrEqual(width)
          expect(top + h).toBeLessThanOrEqual(height)
          // Rounding to whole pixels moves the ratio of small crops.
          const slack = 1.1 + 2 / Math.min(w, h)
          const { ratio } = view.crop
          const clamped = Math.min(w, h) === 1
          expect(clamped || (w / h <= ratio[1] * slack && w / h >= ratio[0] / slack)).toBe(true)
        },
      ),
    )
  })

  it('crop nothing where the view says so', () => {
    expect(drawAll({ ...VIEW, crop: null }).every(({ crop }) => crop === null)).toBe(true)
  })
})

describe('the pixels of a view', () => {
  const input = imageInput({ size: [16, 16] })
  const decode = (content: Uint8Array, view: AugmentedView): Promise<Uint8Array> =>
    decodeImage(content, sha256(content), input, view)

  it.each(FORMATS)('%s: are the same every time', async (format) => {
    const content = await encode(picture(60, 40), format)
    const first = await decode(content, VIEW)
    const again = await Promise.all(Array.from({ length: 8 }, () => decode(content, VIEW)))
    for (const pixels of again) expect(pixels).toEqual(first)
    expect(first).toHaveLength(16 * 16 * 3)
  })

  it('differ between views, and from the plain sample', async () => {
    const content = await encode(picture(60, 40), 'png')
    const plain = await decodeImage(content, sha256(content), input, { kind: 'plain' })
    const views = [1, 2, 3].map((index) => decode(content, { ...VIEW, index }))
    const all = [plain, ...(await Promise.all(views))]
    expect(new Set(all.map((pixels) => sha256(pixels))).size).toBe(all.length)
  })

  it('of a view that changes nothing are those of the plain sample', async () => {
    const content = await encode(picture(60, 40), 'png')
    const plain = await decodeImage(content, sha256(content), input, { kind: 'plain' })
    expect(await decode(content, STILL)).toEqual(plain)
  })

  it('of a view that only flips are the mirrored ones for about half of the samples', async () => {
    let mirrored = 0
    for (let seed = 0; seed < 40; seed += 1) {
      const content = await encode(picture(16, 16, seed), 'png')
      const plain = await decodeImage(content, sha256(content), input, { kind: 'plain' })
      const mirror = plain.map((_, i) => {
        const [x, y] = [Math.floor(i / 3) % 16, Math.floor(i / 48)]
        return plain[(y * 16 + (15 - x)) * 3 + (i % 3)] ?? 0
      })
      const pixels = await decode(content, { ...STILL, flip: true })
      const isMirrored = sha256(pixels) === sha256(mirror)
      expect(isMirrored || sha256(pixels) === sha256(plain)).toBe(true)
      if (isMirrored) mirrored += 1
    }
    expect(mirrored).toBeGreaterThan(8)
    expect(mirrored).toBeLessThan(32)
  })

  it('are cropped from the image as it stands upright', async () => {
    const upright = await picture(40, 80).png().toBuffer()
    const turned = await sharp(upright).rotate(270).png().toBuffer()
    const stored = await sharp(turned).withMetadata({ orientation: 6 }).png().toBuffer()
    for (const key of KEYS.slice(0, 20)) {
      const [expected, pixels] = await Promise.all(
        [upright, stored].map((content) => decodeImage(content, key, input, VIEW)),
      )
      expect(pixels).toEqual(expected)
    }
  })

  it('turn about mid-grey for contrast', async () => {
    const content = await encode(picture(16, 16), 'png')
    const view = { ...STILL, contrast: 0.5 }
    const key = KEYS[3] ?? ''
    const factor = drawAugmentation(view, key, 16, 16).contrast
    const plain = await decodeImage(content, key, input, { kind: 'plain' })
    const pixels = await decodeImage(content, key, input, view)
    plain.forEach((value, i) => {
      const exact = Math.min(255, Math.max(0, 127.5 + (value - 127.5) * factor))
      expect(Math.abs((pixels[i] ?? 999) - exact)).toBeLessThanOrEqual(1)
    })
  })

  it('of a damaged image are a reason', async () => {
    const content = (await encode(picture(60, 40), 'png')).subarray(0, 900)
    await expect(decode(content, VIEW)).rejects.toMatchObject({ code: 'SAMPLE_INVALID' })
  })
})
