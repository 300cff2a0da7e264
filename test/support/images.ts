// Owns made-up images in every format: fixed pixels, written by sharp.
import { crc32, deflateSync } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import type { ImageInput } from '../../src/extractor/spec.js'

/** mulberry32: numbers in [0, 1), the same for the same seed. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Smooth colours with a little noise, so that every format keeps them and none stores them as one. */
export const picture = (width: number, height: number, seed = 1): Sharp => {
  const random = seededRandom(seed)
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
    const smooth = [x / width, y / height, (x + y) / (width + height)][c] ?? 0
    return Math.floor(smooth * 215 + random() * 40)
  })
  return sharp(pixels, { raw: { width, height, channels: 3 } })
}

export const FORMATS = ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const
export type Format = (typeof FORMATS)[number]

/** Lossless where the format can be. */
export const encode = (image: Sharp, format: Format): Promise<Buffer> => {
  switch (format) {
    case 'jpeg':
      return image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()
    case 'webp':
      return image.webp({ lossless: true }).toBuffer()
    case 'avif':
      return image.avif({ lossless: true, effort: 0 }).toBuffer()
    case 'tiff':
      return image.tiff({ compression: 'lzw' }).toBuffer()
    default:
      return image.toFormat(format).toBuffer()
  }
}

export const imageInput = (change: Partial<ImageInput> = {}): ImageInput => ({
  kind: 'image',
  size: [8, 8],
  fit: 'fill',
  kernel: 'linear',
  background: [255, 255, 255],
  channels: 'rgb',
  scale: [1, 1, 1],
  offset: [0, 0, 0],
  ...change,
})

const pngChunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

/** A valid PNG of zeros with one bit a pixel: 17000 x 17000 pixels are 36 KB. */
export const hugePng = (width: number, height: number): Buffer => {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 1
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(new Uint8Array(height * (1 + Math.ceil(width / 8))))),
    pngChunk('IEND', new Uint8Array(0)),
  ])
}
