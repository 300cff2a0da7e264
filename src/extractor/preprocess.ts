// Owns the `preprocess` member of an experiment and its presets, and resolves them to an ImageInput.
import { z } from 'zod'
import { FITS, type ImageInput, KERNELS } from './spec.js'

/**
 * The usual Keras conventions (keras.applications.imagenet_utils: tf, caffe, torch) as
 * p * scale + offset in the order of `channels`.
 */
export const RANGE_PRESETS = {
  '0..255': { channels: 'rgb', scale: [1, 1, 1], offset: [0, 0, 0] },
  '0..1': { channels: 'rgb', scale: [1 / 255, 1 / 255, 1 / 255], offset: [0, 0, 0] },
  '-1..1': { channels: 'rgb', scale: [1 / 127.5, 1 / 127.5, 1 / 127.5], offset: [-1, -1, -1] },
  caffe: { channels: 'bgr', scale: [1, 1, 1], offset: [-103.939, -116.779, -123.68] },
  torch: {
    channels: 'rgb',
    scale: [1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)],
    offset: [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
  },
} as const satisfies Record<string, Pick<ImageInput, 'channels' | 'scale' | 'offset'>>

const RANGES = Object.keys(RANGE_PRESETS) as (keyof typeof RANGE_PRESETS)[]
const byte = z.int().min(0).max(255)
const triple = z.tuple([z.number(), z.number(), z.number()])
const positiveTriple = z.tuple([
  z.number().positive(),
  z.number().positive(),
  z.number().positive(),
])

/** One convention at a time: `range`, or `scale` and `offset`, or `mean` and `std` (in 0..255). */
export const preprocessSchema = z
  .strictObject({
    size: z
      .tuple([z.int().positive().max(4096), z.int().positive().max(4096)])
      .optional()
      .describe('[height, width] in pixels; default: the input size of the base'),
    fit: z.enum(FITS).default('fill').describe('how another aspect ratio is brought to the size'),
    kernel: z.enum(KERNELS).default('linear').describe('resampling kernel'),
    background: z
      .tuple([byte, byte, byte])
      .default([255, 255, 255])
      .describe('RGB that transparent pixels and the bars of `contain` are laid on'),
    range: z
      .enum(RANGES as [(typeof RANGES)[number]])
      .optional()
      .describe('preset; default 0..1'),
    channels: z.enum(['rgb', 'bgr']).optional().describe('default: that of the range, or rgb'),
    scale: triple
      .optional()
      .describe('pixel * scale + offset, per channel in the order of `channels`'),
    offset: triple.optional().describe('in the order of `channels`: for bgr blue first'),
    mean: triple
      .optional()
      .describe('(pixel - mean) / std, pixels 0..255, per channel in the order of `channels`'),
    std: positiveTriple.optional().describe('in the order of `channels`: for bgr blue first'),
  })
  .superRefine((value, context) => {
    const given = [
      value.range !== undefined && 'range',
      (value.scale ?? value.offset) !== undefined && 'scale/offset',
      (value.mean ?? value.std) !== undefined && 'mean/std',
    ].filter((name) => name !== false)
    if (given.length > 1)
      context.addIssue({ code: 'custom', message: `give one of ${given.join(', ')}, not several` })
  })
export type Preprocess = z.infer<typeof preprocessSchema>

type Affine = Pick<ImageInput, 'channels' | 'scale' | 'offset'>

const affineOf = (preprocess: Preprocess): Affine => {
  const { scale, offset, mean, std } = preprocess
  if (scale ?? offset)
    return { channels: 'rgb', scale: scale ?? [1, 1, 1], offset: offset ?? [0, 0, 0] }
  if (mean ?? std) {
    const [m0, m1, m2] = mean ?? [0, 0, 0]
    const [s0, s1, s2] = std ?? [1, 1, 1]
    return {
      channels: 'rgb',
      scale: [1 / s0, 1 / s1, 1 / s2],
      offset: [-m0 / s0, -m1 / s1, -m2 / s2],
    }
  }
  const { channels, scale: factors, offset: terms } = RANGE_PRESETS[preprocess.range ?? '0..1']
  // In the other order each colour keeps the numbers that the preset has for it.
  const reverse = preprocess.channels !== undefined && preprocess.channels !== channels
  const [a, b, c] = factors
  const [p, q, r] = terms
  return reverse
    ? { channels, scale: [c, b, a], offset: [r, q, p] }
    : { channels, scale: [a, b, c], offset: [p, q, r] }
}

/** The complete image input for a size of [height, width]. */
export const resolveImageInput = (
  preprocess: Preprocess,
  size: readonly [number, number],
): ImageInput => {
  const affine = affineOf(preprocess)
  return {
    kind: 'image',
    size: [size[0], size[1]],
    fit: preprocess.fit,
    kernel: preprocess.kernel,
    background: preprocess.background,
    channels: preprocess.channels ?? affine.channels,
    scale: affine.scale,
    offset: affine.offset,
  }
}
