// Owns JPEG files that cost a decoder what photos do: 500x375, some 45 KB. Made once, from seeds.
import { createCipheriv, createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { BENCH_CACHE } from './paths.mjs'

const [WIDTH, HEIGHT] = [500, 375]
const CLASSES = ['even', 'odd']
/**
 * Amplitudes of noise whose grid doubles from 4x3 to the full size: photos have about as much energy in
 * each octave of frequency, less in the finest, where they would not compress.
 */
const AMPLITUDES = [80, 60, 45, 32, 22, 14, 8, 5]
/** From this octave on an image has its own share of the amplitude: some photos are sharper. */
const DETAIL_FROM = 5
const [LEAST_DETAIL, MORE_DETAIL] = [0.7, 0.8]
const QUALITY = 85

/** Bytes that follow from a name. */
const seededBytes = (name, length) => {
  const key = createHash('sha256').update(name).digest().subarray(0, 16)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
}

/** One octave of noise in RGB, enlarged to the size of the image. */
const octave = async (index, level) => {
  const width = Math.min(WIDTH, 4 << level)
  const height = Math.min(HEIGHT, 3 << level)
  const noise = seededBytes(`photo ${index} octave ${level}`, width * height * 3)
  return sharp(noise, { raw: { width, height, channels: 3 } })
    .resize(WIDTH, HEIGHT, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer()
}

const writePhoto = async (folder, index) => {
  const sum = new Float32Array(WIDTH * HEIGHT * 3).fill(128)
  const detail = LEAST_DETAIL + (MORE_DETAIL * seededBytes(`photo ${index}`, 1)[0]) / 255
  for (const [level, usual] of AMPLITUDES.entries()) {
    const amplitude = level < DETAIL_FROM ? usual : usual * detail
    const layer = await octave(index, level)
    for (let i = 0; i < sum.length; i += 1) sum[i] += (layer[i] / 127.5 - 1) * amplitude
  }
  const pixels = Uint8ClampedArray.from(sum)
  await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .jpeg({ quality: QUALITY })
    .toFile(join(folder, CLASSES[index % CLASSES.length], `${String(index).padStart(6, '0')}.jpg`))
}

const fill = async (folder, count) => {
  for (const name of CLASSES) await mkdir(join(folder, name))
  let next = 0
  const loop = async () => {
    while (next < count) {
      next += 1
      await writePhoto(folder, next - 1)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, loop))
}

/** @returns the folder, with class folders in it, and the paths of its files. */
export const preparePhotos = async (count) => {
  const folder = join(BENCH_CACHE, `photos-${count}`)
  if ((await readdir(folder).catch(() => null)) === null) {
    process.stderr.write(`making ${count} images\n`)
    await mkdir(BENCH_CACHE, { recursive: true })
    const draft = await mkdtemp(join(BENCH_CACHE, 'draft-'))
    try {
      await fill(draft, count)
      await rename(draft, folder)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }
  const names = await readdir(folder, { recursive: true })
  const files = names.filter((name) => name.endsWith('.jpg')).sort()
  return { folder, files: files.map((name) => join(folder, name)) }
}
