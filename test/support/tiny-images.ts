// Owns small PNG files that are made up: one colour a class, seeded noise on it, so that every image
// is another content and any head can tell the classes.
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'

const SIDE = 8

const chunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

const header = (width: number, height: number): Buffer => {
  const data = Buffer.alloc(13)
  data.writeUInt32BE(width, 0)
  data.writeUInt32BE(height, 4)
  // 8 bits a channel, RGB.
  data.set([8, 2, 0, 0, 0], 8)
  return data
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

/** An RGB PNG. @param rows filtered scan lines: a zero byte and the pixels, for each row. */
export const pngOf = (width: number, height: number, rows: Uint8Array): Buffer =>
  Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header(width, height)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', new Uint8Array(0)),
  ])

/** Numbers from 0 to 255, the same for the same seed (a linear congruential generator). */
const bytesOfSeed = (seed: number, count: number): number[] => {
  let state = (seed + 1) * 2654435761
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

/** Image number `seed` of a class: mostly its colour. */
export const tinyPng = (classIndex: number, seed: number): Buffer => {
  const noise = bytesOfSeed(seed * 64 + classIndex, SIDE * SIDE * 3)
  const rows = new Uint8Array(SIDE * (SIDE * 3 + 1))
  for (let y = 0; y < SIDE; y += 1)
    for (let x = 0; x < SIDE * 3; x += 1) {
      const own = x % 3 === classIndex % 3 ? 200 : 20
      rows[y * (SIDE * 3 + 1) + 1 + x] = own + ((noise[y * SIDE * 3 + x] ?? 0) >> 3)
    }
  return pngOf(SIDE, SIDE, rows)
}

// Long ago, so that hashes of files are remembered.
const WRITTEN = new Date('2020-01-02T03:04:05Z')

/** Writes files by relative path. */
export const writeFiles = async (
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> => {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
    await utimes(path, WRITTEN, WRITTEN)
  }
}

export const TINY_CLASSES = ['blue', 'green', 'red'] as const

/** Class folders with `perClass` images each: `red/0.png` and so on. */
export const writeTinyImages = (folder: string, perClass: number, from = 0): Promise<void> =>
  writeFiles(
    folder,
    Object.fromEntries(
      TINY_CLASSES.flatMap((name, index) =>
        Array.from({ length: perClass }, (_, i) => [
          `${name}/${from + i}.png`,
          tinyPng(2 - index, from + i),
        ]),
      ),
    ),
  )
