// Owns the one normalisation: uint8 pixels to the float32 values that the base takes.
import type { ImageInput } from './spec.js'

/**
 * p * scale[c] + offset[c], computed in double precision once for each of the 256 values of each
 * channel and rounded to float32.
 */
const lookupTables = (input: ImageInput): readonly Float32Array[] =>
  input.scale.map((scale, channel) =>
    Float32Array.from({ length: 256 }, (_, p) => p * scale + (input.offset[channel] ?? 0)),
  )

/** Makes the function from RGB pixels [n, h, w, 3] to float32 [n, h, w, 3] in the base's channel order. */
export const createNormalise = (input: ImageInput): ((pixels: Uint8Array) => Float32Array) => {
  const [first, second, third] = lookupTables(input) as [Float32Array, Float32Array, Float32Array]
  // Source index of the first and the third channel: BGR takes blue first.
  const [head, tail] = input.channels === 'rgb' ? [0, 2] : [2, 0]
  return (pixels) => {
    const values = new Float32Array(pixels.length)
    for (let i = 0; i < pixels.length; i += 3) {
      values[i] = first[pixels[i + head] as number] as number
      values[i + 1] = second[pixels[i + 1] as number] as number
      values[i + 2] = third[pixels[i + tail] as number] as number
    }
    return values
  }
}
