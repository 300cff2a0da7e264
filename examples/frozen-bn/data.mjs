// Owns the demonstration's images: an even pick of each class, cut into train and validation folders,
// and the one decode of Headstart for whoever trains on pixels.
import { cp, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { decodeImage } from '../../dist/src/extractor/decode.js'
import { createNormalise } from '../../dist/src/extractor/normalise.js'
import { findEmoji } from '../samples/prepare.mjs'

/**
 * Writes train/<class>/*.png and validation/<class>/*.png. Of every few neighbours in the package some
 * go to train and some to validation, so that both are alike.
 *
 * @param {string} folder
 * @param {{ train: number, validation: number }} perClass
 */
export const makeImages = async (folder, perClass) => {
  const total = perClass.train + perClass.validation
  for (const [className, files] of await findEmoji(total)) {
    for (const split of ['train', 'validation'])
      await mkdir(join(folder, split, className), { recursive: true })
    for (const [index, file] of files.entries()) {
      // Spreads the validation images evenly over the pick.
      const steps = [index, index + 1].map((i) => Math.floor((i * perClass.validation) / total))
      const split = steps[0] === steps[1] ? 'train' : 'validation'
      await cp(file, join(folder, split, className, basename(file)))
    }
  }
}

/**
 * What goes into the base: the extractor's decode, resize and normalisation.
 *
 * @returns {Promise<Float32Array[]>} one [height, width, 3] a sample, in key order.
 */
export const decodeInputs = async ({ dataset, reader }, spec) => {
  const normalise = createNormalise(spec.input)
  const inputs = []
  for (const { key } of dataset.samples)
    inputs.push(normalise(await decodeImage(await reader.read(key), key, spec.input, spec.view)))
  return inputs
}
