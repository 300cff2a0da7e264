// Owns thumbnails: content bytes of an image to a small JPEG data URI, for people to look at. No feature
// is ever made of one. Refuses what the forward path refuses: foreign formats, too many pixels.
import sharp from 'sharp'
import { imageFormatOf, MAX_INPUT_PIXELS } from '../extractor/decode.js'

/** The longer side, px. */
export const THUMBNAIL_SIZE = 96
const MAX_CONTENT_BYTES = 64 * 2 ** 20

/** The image within 96 x 96 px, upright, on white; null where it cannot be shown. */
export const makeThumbnail = async (content: Uint8Array): Promise<string | null> => {
  if (content.length > MAX_CONTENT_BYTES || imageFormatOf(content) === null) return null
  try {
    const jpeg = await sharp(content, {
      limitInputPixels: MAX_INPUT_PIXELS,
      failOn: 'error',
      animated: false,
      sequentialRead: true,
    })
      .autoOrient()
      .resize({ width: THUMBNAIL_SIZE, height: THUMBNAIL_SIZE, fit: 'inside' })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .jpeg({ quality: 78 })
      .toBuffer()
    return `data:image/jpeg;base64,${jpeg.toString('base64')}`
  } catch {
    // A report without one image is still a report.
    return null
  }
}
