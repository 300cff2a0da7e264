// Owns generated images: random shapes, JPEG and PNG of several sizes, the same for the same seed.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { createRandom } from '../../dist/src/head/random.js'

const CLASSES = ['circles', 'boxes']
const IN_FLIGHT = 16
const SHAPES = 6
const LEAST_PIXELS = 160
const MORE_PIXELS = 480
/** One in this many is a PNG. */
const PNG_EVERY = 4

const colour = (random) => `rgb(${random.below(256)},${random.below(256)},${random.below(256)})`

const shapeOf = (random, className, size) => {
  const [x, y, r] = [random.below(size), random.below(size), 4 + random.below(size >> 1)]
  return className === 'circles'
    ? `<circle cx="${x}" cy="${y}" r="${r}" fill="${colour(random)}"/>`
    : `<rect x="${x}" y="${y}" width="${r}" height="${r >> 1}" fill="${colour(random)}"/>`
}

const writeImage = async (folder, index) => {
  const random = createRandom('bench image', index)
  const className = CLASSES[index % CLASSES.length]
  const size = LEAST_PIXELS + random.below(MORE_PIXELS)
  const shapes = Array.from({ length: SHAPES }, () => shapeOf(random, className, size)).join('')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><rect width="100%" height="100%" fill="${colour(random)}"/>${shapes}</svg>`
  const extension = index % PNG_EVERY === 0 ? 'png' : 'jpg'
  await sharp(Buffer.from(svg))
    .flatten()
    .toFile(join(folder, className, `${index}.${extension}`))
}

/** Writes `count` different images into class folders. */
export const generateImages = async (folder, count) => {
  for (const className of CLASSES) await mkdir(join(folder, className), { recursive: true })
  let next = 0
  const loop = async () => {
    while (next < count) {
      const index = next
      next += 1
      await writeImage(folder, index)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop))
}
