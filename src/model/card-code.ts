// Owns the part of a model card's text that feeds the model: the steps from a sample to an input, in words
// and as code.
import type { ModelCard } from './card.js'

type ImageInput = Extract<ModelCard['extractor']['input'], { kind: 'image' }>

/** Names of the outputs, in order. */
export const namesOf = (target: ModelCard['target']): readonly string[] =>
  target.kind === 'regression' ? target.outputs : target.classes

const FIT_WORDS = {
  fill: 'stretched to it without regard to the aspect ratio',
  cover: 'scaled to cover it, the rest cut off around the centre',
  contain: 'scaled to fit into it, with bars of the background colour',
} as const

/** How an image becomes the input of the base, step by step. */
export const imageWords = (input: ImageInput): string => {
  const [height, width] = input.size
  const order = input.channels === 'rgb' ? 'red, green, blue' : 'blue, green, red'
  return [
    `1. Decode the first frame, apply the EXIF orientation, lay transparent pixels on rgb(${input.background.join(', ')}), convert to sRGB.`,
    `2. Resize to ${height} x ${width} (height x width) pixels, ${FIT_WORDS[input.fit]}; kernel \`${input.kernel}\`.`,
    `3. Order the channels ${order} (\`${input.channels}\`).`,
    `4. Turn each value p (0 to 255) of channel c into \`p * scale[c] + offset[c]\` in float32: scale \`[${input.scale.join(', ')}]\`, offset \`[${input.offset.join(', ')}]\`.`,
  ].join('\n')
}

const imageCode = (input: ImageInput): string => {
  const [height, width] = input.size
  const [r, g, b] = input.background
  const source = input.channels === 'rgb' ? [0, 1, 2] : [2, 1, 0]
  return `const background = { r: ${r}, g: ${g}, b: ${b} }
const pixels = await sharp('photo.jpg')
  .autoOrient()
  .flatten({ background })
  .toColourspace('srgb')
  .resize({ width: ${width}, height: ${height}, fit: '${input.fit}', kernel: '${input.kernel}', position: 'centre', background })
  .removeAlpha()
  .raw({ depth: 'uchar' })
  .toBuffer()
const scale = ${JSON.stringify(input.scale)}
const offset = ${JSON.stringify(input.offset)}
const source = ${JSON.stringify(source)} // which of red, green, blue each channel takes
const values = Float32Array.from(pixels, (_, i) => {
  const c = i % 3
  return pixels[i - c + source[c]] * scale[c] + offset[c]
})`
}

/** JavaScript that feeds the composed TF.js model. */
export const codeOf = ({ extractor, target, files }: ModelCard): string => {
  const { input } = extractor
  const image = input.kind === 'image'
  const shape = image ? [...input.size, 3] : input.shape
  const imports = [
    "import * as tf from '@tensorflow/tfjs'",
    ...(image ? ["import sharp from 'sharp'"] : []),
  ]
  const values = image
    ? imageCode(input)
    : `const values = new Float32Array(${shape.reduce((a, b) => a * b, 1)}) // your row, as in the dataset`
  return `${imports.join('\n')}

// In Node, '@tensorflow/tfjs-node' instead of '@tensorflow/tfjs' also reads 'file://${files.model}'.
const model = await tf.loadLayersModel('https://example.com/${files.model}')
const names = ${JSON.stringify(namesOf(target))}
${values}
const outputs = await model.predict(tf.tensor(values, ${JSON.stringify([1, ...shape])})).data()
console.log(names.map((name, i) => [name, outputs[i]]))`
}
