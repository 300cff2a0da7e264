// Owns the one decode and the one resize: content bytes of an image to RGB pixels.
// Refuses formats outside the list, too many pixels, and damaged files; knows no engine. A failure of
// the machine is never taken for one of the content, which would be stored for ever.
import sharp, { type Sharp } from 'sharp'
import { HeadstartError, messageOf } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { drawAugmentation } from './augment.js'
import { createSharedLock } from './shared-lock.js'
import type { ImageInput, View } from './spec.js'

// Every image is decoded once: libvips' cache of operations would only hold memory.
sharp.cache(false)

/** Decoding more is refused: a small file can claim a huge image. */
export const MAX_INPUT_PIXELS = 50_000_000

const startsWith = (bytes: Uint8Array, text: string, offset = 0): boolean =>
  bytes.length >= offset + text.length &&
  Buffer.from(bytes.buffer, bytes.byteOffset + offset, text.length).toString('latin1') === text

/**
 * By the first bytes, so that no other loader of libvips (SVG, PDF, ...) ever sees foreign input;
 * null for everything else.
 */
export const imageFormatOf = (bytes: Uint8Array): string | null => {
  if (startsWith(bytes, '\xff\xd8\xff')) return 'JPEG'
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return 'PNG'
  if (startsWith(bytes, 'GIF8')) return 'GIF'
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return 'WebP'
  if (startsWith(bytes, 'II*\0') || startsWith(bytes, 'MM\0*')) return 'TIFF'
  return startsWith(bytes, 'ftypavif', 4) || startsWith(bytes, 'ftypmif1', 4) ? 'AVIF' : null
}

const fault = (reason: string, cause?: unknown): HeadstartError =>
  new HeadstartError('SAMPLE_INVALID', reason, { cause })

/**
 * What libvips and its codecs say when the machine runs short. Narrow on purpose: content provokes
 * "Memory allocation error: Security limit exceeded" and "unsupported ..." at will, and what is
 * matched here stops the whole extraction.
 */
const SHORTAGE =
  /out of memory|insufficient memory|not enough memory|cannot allocate memory|unable to create thread|error creating thread|too many open files|resource temporarily unavailable/i

/**
 * The failure of an image that was decoded alone. Its reason holds only what depends on the content:
 * versions of the codecs word the rest in their own ways.
 */
const failureOf = (format: string, cause: unknown): HeadstartError => {
  const message = messageOf(cause)
  if (SHORTAGE.test(message))
    return new HeadstartError('ENGINE_FAILED', `cannot decode here: ${message}`, { cause })
  const reason = message.includes('exceeds pixel limit')
    ? `the ${format} image has more than ${MAX_INPUT_PIXELS} pixels`
    : `the ${format} image is damaged or incomplete`
  return fault(reason, cause)
}

/** A codec that this libvips was built without says that any image is unsupported. */
const assertLoader = (format: string): void => {
  const loader = format === 'AVIF' ? 'heif' : format.toLowerCase()
  const known = Object.entries(sharp.format).find(([name]) => name === loader)
  if (known?.[1].input.buffer !== true)
    throw new HeadstartError('ENGINE_FAILED', `this libvips was built without ${format}`)
}

const open = (content: Uint8Array): Sharp =>
  sharp(content, {
    limitInputPixels: MAX_INPUT_PIXELS,
    failOn: 'warning',
    animated: false,
    sequentialRead: true,
  }).autoOrient()

const augmented = async (
  content: Uint8Array,
  key: Sha256,
  view: Extract<View, { kind: 'augmented' }>,
): Promise<{ image: Sharp; contrast: number }> => {
  const { autoOrient } = await open(content).metadata()
  const draw = drawAugmentation(view, key, autoOrient.width, autoOrient.height)
  const image = open(content)
  if (draw.crop !== null) image.extract(draw.crop)
  if (draw.flip) image.flop()
  if (draw.brightness !== 1 || draw.saturation !== 1)
    image.modulate({ brightness: draw.brightness, saturation: draw.saturation })
  return { image, contrast: draw.contrast }
}

/** sharp would take the background's luminance for a gray image, and lay it on that. */
const needsRgbFirst = async (
  content: Uint8Array,
  [r, g, b]: ImageInput['background'],
): Promise<boolean> => {
  if (r === g && g === b) return false
  const { space } = await open(content).metadata()
  return space === 'b-w' || space === 'grey16'
}

const pixelsOf = async (
  content: Uint8Array,
  key: Sha256,
  { size: [height, width], background: [r, g, b], ...input }: ImageInput,
  view: View,
): Promise<Uint8Array> => {
  const background = { r, g, b }
  const { image, contrast } =
    view.kind === 'plain'
      ? { image: open(content), contrast: 1 }
      : await augmented(content, key, view)
  if (await needsRgbFirst(content, [r, g, b])) image.pipelineColourspace('srgb')
  image.flatten({ background }).toColourspace('srgb').resize({
    width,
    height,
    fit: input.fit,
    kernel: input.kernel,
    position: 'centre',
    background,
  })
  // Contrast turns about mid-grey: p * c + 127.5 * (1 - c).
  if (contrast !== 1) image.linear(contrast, 127.5 * (1 - contrast))
  const pixels = await image.removeAlpha().raw({ depth: 'uchar' }).toBuffer()
  if (pixels.length !== width * height * 3) throw fault(`unexpected ${pixels.length} bytes`)
  return pixels
}

/** All decodes of this process: those of several extractors share one libvips. */
const decoding = createSharedLock()

/**
 * Decodes one image: first frame, EXIF orientation applied, alpha flattened, sRGB, resized. What
 * fails is tried once more alone: libvips' threads share one buffer of error text, so that a message
 * can belong to another image, and what ran short beside others may suffice for one.
 *
 * @param key sample key of the content; draws the augmentation of a view.
 * @returns uint8 [height, width, 3], RGB.
 * @throws SAMPLE_INVALID with a reason that depends on the content alone; ENGINE_FAILED when this
 *   machine runs short of something or cannot decode the format at all.
 */
export const decodeImage = async (
  content: Uint8Array,
  key: Sha256,
  input: ImageInput,
  view: View,
): Promise<Uint8Array> => {
  if (content.length === 0) throw fault('the file is empty')
  const format = imageFormatOf(content)
  if (format === null) throw fault('not a JPEG, PNG, WebP, GIF, AVIF or TIFF image')
  assertLoader(format)
  const decode = (): Promise<Uint8Array> => pixelsOf(content, key, input, view)
  try {
    return await decoding.shared(decode)
  } catch (error) {
    if (error instanceof HeadstartError) throw error
  }
  try {
    return await decoding.exclusive(decode)
  } catch (error) {
    throw error instanceof HeadstartError ? error : failureOf(format, error)
  }
}

/** For the record beside the features. */
export const decoderVersion = (): string =>
  `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`
