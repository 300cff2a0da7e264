// The pure part of datasets in buckets: keys read as paths, over made-up and hostile keys.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commonPrefixOf, findObjects } from '../../src/dataset/find-objects.js'
import { findInFolder } from '../../src/dataset/folder.js'
import { findAmongNames } from '../../src/dataset/object-folder.js'
import { createObjectReader } from '../../src/dataset/object-reader.js'
import { MAX_IMAGE_BYTES } from '../../src/dataset/reader.js'
import { sha256 } from '../../src/identity/hash.js'
import type { ObjectSource, SourceObject } from '../../src/store/object-source.js'
import { faultOfObjectKey } from '../../src/store/url.js'
import { failureOf, indexAt, makeTree } from './support.js'

const segment = fc.constantFrom('train', 'val', 'test', 'cat', 'dog', '.git', 'a b', 'ü')
const file = fc.constantFrom('1.png', '2.JPG', 'notes.txt', '.x.png', 'deep.tiff')
const filePath = fc
  .tuple(fc.array(segment, { maxLength: 3 }), file)
  .map(([folders, name]) => [...folders, name].join('/'))

describe('keys', () => {
  it('give the samples that the same paths give in a folder', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(filePath, { maxLength: 12 }), async (names) => {
        const root = await makeTree(Object.fromEntries(names.map((name) => [name, name])))
        const local = await findInFolder(root)
        const found = await findAmongNames(names)
        const plain = local.entries.map(({ path: _, ...entry }) => entry)
        expect(found.entries.map(({ path: _, ...entry }) => entry)).toEqual(plain)
        expect(found.notes).toEqual(local.notes)
      }),
      { numRuns: 60 },
    )
  })

  it('never give a name that leaves the folder or could write to a terminal', async () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .array(fc.constantFrom('..', '.', '', 'cat', '/', '\\', '\0', '\u001b[2J', '1.png'))
        .map((parts) => parts.join('/')),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { maxLength: 20 }), async (names) => {
        const { entries, notes } = await findAmongNames(names)
        for (const { name } of entries) {
          expect(faultOfObjectKey(name)).toBeNull()
          expect(names).toContain(name)
        }
        for (const note of notes) expect(note).not.toMatch(/\p{Cc}/u)
      }),
    )
  })

  it('have the beginning in common that all have', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '😀', '😁') })), (texts) => {
        const common = commonPrefixOf(texts)
        expect(common.isWellFormed()).toBe(true)
        for (const text of texts) expect(text.startsWith(common)).toBe(true)
        const next = [...(texts[0]?.slice(common.length) ?? '')][0]
        if (next !== undefined)
          expect(texts.every((text) => text.startsWith(common + next))).toBe(false)
      }),
    )
  })
})

/** A bucket in memory of any size. */
const sourceOf = (
  count: number,
  objectAt: (n: number) => SourceObject,
): ObjectSource & { listed: number; asked: number } => {
  const source = {
    listed: 0,
    asked: 0,
    bucket: 'b',
    place: 'memory b',
    async *list(prefix: string) {
      for (let n = 0; n < count; n += 1) {
        const object = objectAt(n)
        if (!object.key.startsWith(prefix)) continue
        source.listed += 1
        yield object
      }
    },
    async head(key: string) {
      source.asked += 1
      for (let n = 0; n < count; n += 1) if (objectAt(n).key === key) return objectAt(n)
      return null
    },
    async read<T>(
      key: string,
      consume: (body: AsyncIterable<Uint8Array>, object: SourceObject) => Promise<T>,
    ): Promise<T | null> {
      const object = await source.head(key)
      if (object === null) return null
      const chunk = new Uint8Array(1024 ** 2)
      const body = async function* () {
        for (let left = object.bytes; left > 0; left -= chunk.length)
          yield chunk.subarray(0, Math.min(left, chunk.length))
      }
      return consume(body(), object)
    },
    close: async () => {},
  }
  return source
}

describe('finding named objects', () => {
  it('lists a folder of about that many, and asks for each in a far larger one', async () => {
    const objectAt = (n: number) => ({ key: `x/${n}.png`, bytes: n, etag: `${n}` })
    const names = new Set(['1.png', '9999.png', 'no.png'])
    const small = sourceOf(300, objectAt)
    expect([...(await findObjects(small, 'x/', names)).keys()]).toEqual(['1.png'])
    expect([small.listed, small.asked]).toEqual([300, 0])
    const large = sourceOf(10_000, objectAt)
    const found = await findObjects(large, 'x/', names)
    expect([...found.keys()]).toEqual(['1.png', '9999.png'])
    expect(large.listed).toBeLessThan(1100)
    expect(large.asked).toBe(2)
  })
})

describe('an object that is too large: an image over 64 MiB', () => {
  const bytes = MAX_IMAGE_BYTES + 1
  const index = (name: string) => {
    const source = sourceOf(1, () => ({ key: `p/${name}`, bytes: 2 ** 31, etag: 'e' }))
    return indexAt(`s3://bucket/p/${name}`, {}, { objects: async () => source })
  }

  it.each(['t.csv', 't.jsonl'])('and a table %s over 1 GiB', async (name) => {
    expect(await failureOf(index(name))).toMatchObject({
      code: 'DATASET_INVALID',
      message: `s3://bucket/p/${name} is larger than 1 GiB`,
    })
  })
  const source = sourceOf(1, () => ({ key: 'p/a.png', bytes, etag: 'e' }))
  const readerOf = (key: string) =>
    createObjectReader(source, 'p/', [{ key, names: ['a.png'], label: [0], split: 'train' }])

  it('is a fault of the content, in the words that a file has', async () => {
    const key = sha256(new Uint8Array(bytes))
    expect(await failureOf(readerOf(key).read(key))).toMatchObject({
      code: 'SAMPLE_INVALID',
      message: 'the file is larger than 64 MiB',
    })
  })

  it('that took the place of a sample says nothing of it', async () => {
    const key = sha256('the indexed content')
    expect((await failureOf(readerOf(key).read(key))).code).toBe('DATASET_CHANGED')
  })
})
