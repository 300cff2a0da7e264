// Owns the draws of an augmented view: a pure function of (view, sample key), the same everywhere.
import { createHash } from 'node:crypto'
import type { Sha256 } from '../identity/hash.js'
import type { AugmentedView } from './spec.js'

/** What is done to one image. Factors are multiplicative, 1 leaves the image as it is. */
export interface Augmentation {
  readonly flip: boolean
  /** In pixels of the oriented image; null: the whole image. */
  readonly crop: {
    readonly left: number
    readonly top: number
    readonly width: number
    readonly height: number
  } | null
  readonly brightness: number
  readonly contrast: number
  readonly saturation: number
}

const CROP_TRIES = 10

/** A stream of numbers in [0, 1) with 32 bits each: SHA-256 in counter mode. */
const uniformStream = (seed: string): (() => number) => {
  let block = Buffer.alloc(0)
  let offset = 0
  let counter = 0
  return () => {
    if (offset === block.length) {
      block = createHash('sha256').update(`${seed}\n${counter}`).digest()
      counter += 1
      offset = 0
    }
    const value = block.readUInt32LE(offset) / 2 ** 32
    offset += 4
    return value
  }
}

/**
 * Random resized crop as in Szegedy et al. 2015 ("Going deeper with convolutions"): an area and an
 * aspect ratio are drawn up to ten times; where none fits, the largest centred part in range is taken.
 */
const drawCrop = (
  uniform: () => number,
  { area, ratio }: NonNullable<AugmentedView['crop']>,
  width: number,
  height: number,
): NonNullable<Augmentation['crop']> => {
  const [logLow, logHigh] = [Math.log(ratio[0]), Math.log(ratio[1])]
  for (let attempt = 0; attempt < CROP_TRIES; attempt += 1) {
    const target = width * height * (area[0] + uniform() * (area[1] - area[0]))
    const aspect = Math.exp(logLow + uniform() * (logHigh - logLow))
    const w = Math.round(Math.sqrt(target * aspect))
    const h = Math.round(Math.sqrt(target / aspect))
    if (w >= 1 && h >= 1 && w <= width && h <= height)
      return {
        left: Math.floor(uniform() * (width - w + 1)),
        top: Math.floor(uniform() * (height - h + 1)),
        width: w,
        height: h,
      }
  }
  const aspect = Math.min(Math.max(width / height, ratio[0]), ratio[1])
  const w = Math.max(1, Math.min(width, Math.round(height * aspect)))
  const h = Math.max(1, Math.min(height, Math.round(width / aspect)))
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h }
}

/** The augmentation of one sample in one view; width and height are those of the oriented image. */
export const drawAugmentation = (
  view: AugmentedView,
  key: Sha256,
  width: number,
  height: number,
): Augmentation => {
  const uniform = uniformStream(`headstart-view\n${view.seed}\n${view.index}\n${key}`)
  const factor = (spread: number): number => 1 - spread + 2 * spread * uniform()
  return {
    flip: uniform() < 0.5 && view.flip,
    brightness: factor(view.brightness),
    contrast: factor(view.contrast),
    saturation: factor(view.saturation),
    crop: view.crop === null ? null : drawCrop(uniform, view.crop, width, height),
  }
}
