// Owns made-up inputs that prove an export: content bytes for the Extractor, and the same input as
// the normalised values that a composed model takes. Seeded: the same extractor, the same inputs.
import { crc32, deflateSync } from 'node:zlib'
import type { SampleContent } from '../extractor/extractor.js'
import { inputOf } from '../extractor/input.js'
import type { ExtractorSpec, ImageInput } from '../extractor/spec.js'
import { widthOf } from '../features/shard.js'
import { createRandom, type Random } from '../head/random.js'
import { sampleKeyOfBytes, sampleKeyOfRow } from '../identity/ids.js'

export interface CheckSample {
  readonly sample: SampleContent
  /** [...input shape], as the base takes it. */
  readonly values: Float32Array
}

const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

const pngChunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}

/** RGB pixels [height, width, 3] as a PNG without loss (8 bits, no filter). */
const encodePng = (pixels: Uint8Array, height: number, width: number): Uint8Array => {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2], 8)
  const lines = Buffer.alloc(height * (1 + width * 3))
  for (let y = 0; y < height; y += 1)
    lines.set(pixels.subarray(y * width * 3, (y + 1) * width * 3), y * (1 + width * 3) + 1)
  return Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(lines, { level: 1 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

const CELLS = 4
const NOISE = 48

/** A coarse grid of colours with noise: images that differ from each other as photographs do. */
const drawPixels = (height: number, width: number, random: Random): Uint8Array => {
  const colours = Uint8Array.from({ length: CELLS * CELLS * 3 }, () => random.below(256))
  const pixels = new Uint8Array(height * width * 3)
  for (let i = 0; i < pixels.length; i += 1) {
    const x = Math.floor(i / 3) % width
    const y = Math.floor(i / 3 / width)
    const cell = Math.floor((y * CELLS) / height) * CELLS + Math.floor((x * CELLS) / width)
    const value = (colours[cell * 3 + (i % 3)] ?? 0) + random.below(2 * NOISE) - NOISE
    pixels[i] = Math.min(255, Math.max(0, value))
  }
  return pixels
}

const imageContent = ({ size: [height, width] }: ImageInput, random: Random): SampleContent => {
  // At the size of the base, so that neither kernel nor fit changes a pixel.
  const content = encodePng(drawPixels(height, width, random), height, width)
  return { key: sampleKeyOfBytes(content), content }
}

const tensorContent = (shape: readonly number[], random: Random): SampleContent => {
  const values = Float32Array.from({ length: widthOf(shape) }, () => 4 * random.float() - 2)
  const content = new Uint8Array(values.buffer)
  return { key: sampleKeyOfRow('float32', shape, content), content }
}

/** Inputs of an extractor with the plain view. */
export const createCheckSamples = async (
  spec: ExtractorSpec,
  count: number,
): Promise<CheckSample[]> => {
  const { input } = spec
  const samples: CheckSample[] = []
  for (let index = 0; index < count; index += 1) {
    const random = createRandom('export check', index)
    const sample =
      input.kind === 'image' ? imageContent(input, random) : tensorContent(input.shape, random)
    samples.push({ sample, values: await inputOf(spec, sample) })
  }
  return samples
}
