import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { makeThumbnail } from '../../src/report/thumbnail.js'
import { encode, FORMATS, hugePng, picture } from '../support/images.js'

const bytesOf = (uri: string | null): Buffer => Buffer.from(uri?.split(',')[1] ?? '', 'base64')

describe('a thumbnail', () => {
  test.each(FORMATS)('of a %s is a JPEG whose longer side has 96 px', async (format) => {
    const uri = await makeThumbnail(await encode(picture(300, 150), format))
    expect(uri).toMatch(/^data:image\/jpeg;base64,[A-Za-z0-9+/]+=*$/u)
    const { format: made, width, height } = await sharp(bytesOf(uri)).metadata()
    expect({ made, width, height }).toEqual({ made: 'jpeg', width: 96, height: 48 })
  })

  test('carries nothing but pixels: no EXIF, which may hold a place', async () => {
    const content = await picture(64, 64)
      .jpeg()
      .withExif({ IFD0: { Copyright: 'somebody' } })
      .toBuffer()
    const { exif } = await sharp(bytesOf(await makeThumbnail(content))).metadata()
    expect(exif).toBeUndefined()
  })

  test('of what cannot be shown is null', async () => {
    const png = await picture(64, 64).png().toBuffer()
    const contents = [
      Buffer.alloc(0),
      Buffer.from('not an image'),
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      png.subarray(0, png.length / 3),
      hugePng(40_000, 40_000),
    ]
    expect(await Promise.all(contents.map(makeThumbnail))).toEqual(contents.map(() => null))
  })
})
