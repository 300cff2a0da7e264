// Reading samples again: what is too large for an image, and what took a sample's place.
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createFileReader, MAX_IMAGE_BYTES } from '../../src/dataset/reader.js'
import { sha256 } from '../../src/identity/hash.js'
import { failureOf, makeFolder } from './support.js'

/** A sparse file of zeros, and a reader that knows it by `key`. */
const setUp = async (bytes: number, key = sha256(Buffer.alloc(bytes))) => {
  const root = await makeFolder()
  await writeFile(join(root, 'a.png'), '')
  await truncate(join(root, 'a.png'), bytes)
  return {
    key,
    reader: createFileReader(root, [{ key, names: ['a.png'], label: [0], split: 'train' }]),
  }
}

describe('an image file', () => {
  it('of 64 MiB is read', async () => {
    const { key, reader } = await setUp(MAX_IMAGE_BYTES)
    expect(await reader.read(key)).toHaveLength(MAX_IMAGE_BYTES)
  })

  it('of more is a fault of the content, whose reason names no file', async () => {
    const { key, reader } = await setUp(MAX_IMAGE_BYTES + 1)
    expect(await failureOf(reader.read(key))).toMatchObject({
      code: 'SAMPLE_INVALID',
      message: 'the file is larger than 64 MiB',
    })
  })

  it('of more that took the place of a sample says nothing of it: DATASET_CHANGED', async () => {
    const { key, reader } = await setUp(MAX_IMAGE_BYTES + 1, sha256('the indexed content'))
    expect((await failureOf(reader.read(key))).code).toBe('DATASET_CHANGED')
  })
})
