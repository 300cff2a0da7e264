import { describe, expect, it } from 'vitest'
import { isHeadstartError } from '../../src/errors.js'
import { decodeImage, MAX_INPUT_PIXELS } from '../../src/extractor/decode.js'
import { sha256 } from '../../src/identity/hash.js'
import { encode, FORMATS, hugePng, imageInput, picture, seededRandom } from '../support/images.js'

const MUTATIONS = 200
const input = imageInput()

/** The pixels, or the reason why there are none. Every other failure is a failure of the test. */
const decodeOrReason = async (content: Uint8Array): Promise<Uint8Array | string> => {
  try {
    return await decodeImage(content, sha256(content), input, { kind: 'plain' })
  } catch (error) {
    if (isHeadstartError(error, 'SAMPLE_INVALID')) return error.message
    throw error
  }
}

const half = (content: Uint8Array): Uint8Array => content.subarray(0, content.length >> 1)
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>'
const NO_IMAGE = 'not a JPEG, PNG, WebP, GIF, AVIF or TIFF image'

describe('content that is no image goes to quarantine with a reason', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['0 bytes', '', 'the file is empty'],
    ['text', 'these are no pixels\n', NO_IMAGE],
    ['one byte', '\xff', NO_IMAGE],
    ['an SVG', SVG, NO_IMAGE],
    ['an SVG behind an XML declaration', `<?xml version="1.0"?>${SVG}`, NO_IMAGE],
    ['a PDF', '%PDF-1.4\n%%EOF', NO_IMAGE],
    ['a BMP', 'BM0000000000', NO_IMAGE],
    [
      'the first bytes of a PNG alone',
      '\x89PNG\r\n\x1a\n',
      'the PNG image is damaged or incomplete',
    ],
    ['a RIFF file that is no WebP', 'RIFF0000WAVE', NO_IMAGE],
    ['a HEIC', '\0\0\0\x18ftypheic', NO_IMAGE],
  ])('%s', async (_, content, reason) => {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
    expect(await decodeOrReason(bytes)).toBe(reason)
  })

  it.each(FORMATS)('half a %s', async (format) => {
    const content = half(await encode(picture(64, 64), format))
    expect(await decodeOrReason(content)).toMatch(/^the \w+ image is damaged or incomplete$/)
  })

  it.each(['jpeg', 'png'] as const)('a %s without its last rows', async (format) => {
    const content = await encode(picture(64, 64), format)
    const cut = content.subarray(0, Math.floor(content.length * 0.95))
    expect(await decodeOrReason(cut)).toMatch(/^the \w+ image is damaged or incomplete$/)
  })

  it('a PNG of 17000 x 17000 pixels', async () => {
    const content = hugePng(17_000, 17_000)
    expect(content.length).toBeLessThan(100_000)
    expect(await decodeOrReason(content)).toBe(
      `the PNG image has more than ${MAX_INPUT_PIXELS} pixels`,
    )
  })

  it('but a PNG of as many pixels as are allowed is decoded', async () => {
    expect(await decodeOrReason(hugePng(5000, MAX_INPUT_PIXELS / 5000))).toHaveLength(8 * 8 * 3)
  })
})

describe('a damaged image', () => {
  it('has the same reason alone and among others: shards stay the same bytes', async () => {
    const whole = await Promise.all(FORMATS.map((format) => encode(picture(96, 96), format)))
    const damaged = whole.flatMap((content) => [
      half(content),
      content.subarray(0, Math.floor(content.length * 0.9)),
      content.subarray(0, 40),
    ])
    const alone: unknown[] = []
    for (const content of damaged) alone.push(await decodeOrReason(content))
    for (let round = 0; round < 20; round += 1)
      expect(await Promise.all(damaged.map(decodeOrReason))).toEqual(alone)
  })

  it('does not harm those that are decoded beside it', async () => {
    const whole = await Promise.all(FORMATS.map((format) => encode(picture(96, 96), format)))
    const expected = await Promise.all(whole.map(decodeOrReason))
    for (let round = 0; round < 10; round += 1) {
      const beside = whole.flatMap((content) => [content, half(content)])
      const found = await Promise.all(beside.map(decodeOrReason))
      expect(found.filter((_, i) => i % 2 === 0)).toEqual(expected)
    }
  })

  it.each(FORMATS)(
    '%s: after any change of its bytes it has pixels of the right size or a reason',
    async (format) => {
      const content = await encode(picture(48, 32), format)
      const random = seededRandom(format.length + (format.codePointAt(0) ?? 0))
      const outcomes = { pixels: 0, reasons: 0 }
      for (let round = 0; round < MUTATIONS; round += 1) {
        const changed = new Uint8Array(content)
        const changes = 1 + Math.floor(random() * 4)
        for (let i = 0; i < changes; i += 1)
          changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256)
        const outcome = await decodeOrReason(changed)
        if (typeof outcome !== 'string') expect(outcome).toHaveLength(8 * 8 * 3)
        outcomes[typeof outcome === 'string' ? 'reasons' : 'pixels'] += 1
      }
      expect(outcomes.reasons + outcomes.pixels).toBe(MUTATIONS)
      expect(outcomes.reasons).toBeGreaterThan(0)
    },
  )
})
