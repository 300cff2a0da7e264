// Owns the one decode and the one resize: content bytes of an image to RGB pixels.
// Refuses formats outside the list, too many pixels, and damaged files; knows no engine.
import sharp, { type Sharp } from 'sharp'
import { HeadstartError, messageOf } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { drawAugmentation } from './augment.js'
import type { ImageInput, View } from './spec.js'

/** Decoding more is refused: a small file can claim a huge image. */
export const MAX_INPUT_PIXELS = 50_000_000

const MAX_REASON_CHARACTERS = 200

const startsWith = (bytes: Uint8Array, text: string, offset = 0): boolean =>
  bytes.length >= offset + text.length &&
  Buffer.from(bytes.buffer, bytes.byteOffset + offset, text.length).toString('latin1') === text

/** By the first bytes, so that no other loader of libvips (SVG, PDF, ...) ever sees foreign input. */
export const isSupportedImage = (bytes: Uint8Array): boolean =>
  startsWith(bytes, '\xff\xd8\xff') ||
  startsWith(bytes, '\x89PNG\r\n\x1a\n') ||
  startsWith(bytes, 'GIF8') ||
  (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) ||
  startsWith(bytes, 'II*\0') ||
  startsWith(bytes, 'MM\0*') ||
  startsWith(bytes, 'ftypavif', 4) ||
  startsWith(bytes, 'ftypmif1', 4)

const fault = (reason: string, cause?: unknown): HeadstartError =>
  new HeadstartError('SAMPLE_INVALID', reason.slice(0, MAX_REASON_CHARACTERS), { cause })

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

/**
 * Decodes one image: first frame, EXIF orientation applied, alpha flattened, sRGB, resized.
 *
 * @param key sample key of the content; draws the augmentation of a view.
 * @returns uint8 [height, width, 3], RGB.
 * @throws SAMPLE_INVALID with a reason that depends on the content alone.
 */
export const decodeImage = async (
  content: Uint8Array,
  key: Sha256,
  input: ImageInput,
  view: View,
): Promise<Uint8Array> => {
  if (content.length === 0) throw fault('the file is empty')
  if (!isSupportedImage(content)) throw fault('not a JPEG, PNG, WebP, GIF, AVIF or TIFF image')
  const [height, width] = input.size
  const [r, g, b] = input.background
  const background = { r, g, b }
  try {
    const { image, contrast } =
      view.kind === 'plain'
        ? { image: open(content), contrast: 1 }
        : await augmented(content, key, view)
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
  } catch (error) {
    if (error instanceof HeadstartError) throw error
    throw fault(`cannot be decoded: ${messageOf(error).split('\n', 1)[0]}`, error)
  }
}

/** For the record beside the features. */
export const decoderVersion = (): string =>
  `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`
