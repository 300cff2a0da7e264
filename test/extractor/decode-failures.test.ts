// Failures of the machine, made up in sharp: they must never be taken for faults of the content.
import sharp, { type Sharp } from 'sharp'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { decodeImage } from '../../src/extractor/decode.js'
import { sha256 } from '../../src/identity/hash.js'
import { encode, imageInput, picture } from '../support/images.js'

const { prototype } = sharp as unknown as { prototype: Sharp }
const decode = (content: Uint8Array): Promise<Uint8Array> =>
  decodeImage(content, sha256(content), imageInput(), { kind: 'plain' })
const whole = () => encode(picture(32, 32), 'png')
const damaged = async () => (await whole()).subarray(0, 200)

afterEach(() => {
  vi.restoreAllMocks()
})

describe('an image whose decoding fails', () => {
  it.each([
    'out of memory --- size == 48MB',
    'unable to create thread',
    'VipsJpeg: premature end of input (of another image)',
    'Input image exceeds pixel limit',
  ])('once, with "%s", is tried again', async (message) => {
    const content = await whole()
    const expected = await decode(content)
    vi.spyOn(prototype, 'toBuffer').mockRejectedValueOnce(new Error(message))
    expect(await decode(content)).toEqual(expected)
  })

  it.each([
    'out of memory --- size == 48MB',
    'VipsJpeg: Insufficient memory (case 4)',
    'unable to create thread',
    'Too many open files',
  ])('twice with "%s" is ENGINE_FAILED, which may be retried', async (message) => {
    const content = await whole()
    vi.spyOn(prototype, 'toBuffer').mockRejectedValue(new Error(message))
    await expect(decode(content)).rejects.toMatchObject({ code: 'ENGINE_FAILED', retryable: true })
  })

  it.each([
    'heif: Memory allocation error: Security limit exceeded: 70000 items',
    'VipsJpeg: Unsupported marker type 0x31',
    'Input buffer contains unsupported image format',
  ])('twice with "%s", which content provokes at will, is quarantined', async (message) => {
    const content = await whole()
    vi.spyOn(prototype, 'toBuffer').mockRejectedValue(new Error(message))
    await expect(decode(content)).rejects.toMatchObject({
      code: 'SAMPLE_INVALID',
      message: 'the PNG image is damaged or incomplete',
    })
  })

  it.each(['Input image exceeds pixel limit', 'out of memory'])(
    'has the reason of its second try, not "%s" of the first',
    async (message) => {
      const content = await damaged()
      vi.spyOn(prototype, 'toBuffer').mockRejectedValueOnce(new Error(message))
      await expect(decode(content)).rejects.toMatchObject({
        code: 'SAMPLE_INVALID',
        message: 'the PNG image is damaged or incomplete',
      })
    },
  )

  it('is tried again while nothing else is decoded', async () => {
    const contents = await Promise.all([whole(), damaged(), whole(), damaged(), whole()])
    const original = prototype.toBuffer as () => Promise<Buffer>
    let active = 0
    const besideRetries: number[] = []
    const seen = { calls: 0 }
    vi.spyOn(prototype, 'toBuffer').mockImplementation(async function (this: Sharp) {
      seen.calls += 1
      active += 1
      if (seen.calls > contents.length) besideRetries.push(active)
      try {
        return await original.call(this)
      } finally {
        active -= 1
      }
    } as typeof prototype.toBuffer)
    const results = await Promise.allSettled(contents.map(decode))
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(besideRetries).toEqual([1, 1])
  })
})

describe('a format that this libvips was built without', () => {
  it('is ENGINE_FAILED, not a fault of the content', async () => {
    const content = await encode(picture(16, 16), 'gif')
    const { gif } = sharp.format
    vi.spyOn(sharp.format, 'gif', 'get').mockReturnValue({
      ...gif,
      input: { ...gif.input, buffer: false },
    })
    await expect(decode(content)).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: 'this libvips was built without GIF',
    })
  })
})
