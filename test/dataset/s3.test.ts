// Datasets in a bucket of a real S3 server: the same dataset as in a folder, and nothing fetched twice.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createObjectReader } from '../../src/dataset/object-reader.js'
import { sha256 } from '../../src/identity/hash.js'
import type { OpenObjects } from '../../src/store/object-source.js'
import { createObjectOpener } from '../../src/store/open.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { deleteFile, putFiles, watching } from '../support/s3-files.js'
import { byName, failureOf, indexAt, makeFolder, makeTree } from './support.js'

let moto: MotoServer
let opener: ReturnType<typeof createObjectOpener>
let objects: OpenObjects
beforeAll(async () => {
  moto = await startMoto()
  opener = createObjectOpener({ s3Endpoint: moto.endpoint })
  objects = opener.open
})
afterAll(async () => {
  await opener?.close()
  await moto?.stop()
})

type Files = Readonly<Record<string, string | Uint8Array>>
type Spec = Parameters<typeof indexAt>[1]

/** A bucket with the files below a prefix. @returns the address of the prefix. */
const makeBucket = async (files: Files, prefix = 'data/pets'): Promise<string> => {
  const bucket = await moto.createBucket()
  const placed = Object.entries(files).map(([name, body]) => [`${prefix}/${name}`, body] as const)
  await putFiles(moto, bucket, Object.fromEntries(placed))
  return `s3://${bucket}/${prefix}`
}

const bucketOf = (url: string): string => new URL(url).host
const indexS3 = (url: string, spec?: Spec, options: Parameters<typeof indexAt>[2] = {}) =>
  indexAt(url, spec, { objects, ...options })

const pets = { 'cat/a.png': 'A', 'cat/b.png': 'B', 'dog/c.jpg': 'C', 'dog/d.webp': 'D' }

describe('a prefix of class folders', () => {
  it.each<{ what: string; files: Files; spec?: Spec }>([
    {
      what: 'classes with what is no image, hidden files and copies',
      files: {
        ...pets,
        'cat/deep/er/ü & +%20 e.TIFF': 'E',
        'dog/copy.png': 'A2',
        'dog/copy again.png': 'A2',
        'dog/empty.png': '',
        '.git/x.png': 'X',
        'cat/.hidden.png': 'H',
        'readme.txt': 'R',
        'stray.png': 'S',
      },
    },
    {
      what: 'split folders',
      files: {
        'train/cat/a.png': 'A',
        'train/dog/b.png': 'B',
        'val/cat/c.png': 'C',
        'test/dog/d.png': 'D',
      },
    },
    {
      what: 'a class named train',
      files: { 'train/a.png': 'A', 'train/b.png': 'B', 'car/c.png': 'C', 'car/d.png': 'D' },
    },
    {
      what: 'content in two classes, joined',
      files: { ...pets, 'cat/both.png': 'X', 'dog/both.png': 'X' },
      spec: { target: 'multi' },
    },
  ])('is the dataset that the folder is: $what', async ({ files, spec }) => {
    const local = (await indexAt(await makeTree(files), spec)).dataset
    const { dataset } = await indexS3(await makeBucket(files), spec)
    expect(dataset.datasetId).toBe(local.datasetId)
    expect(dataset.notes).toEqual(local.notes)
    expect(dataset).toEqual(local)
  })

  it('may be a whole bucket, or end with a slash, or be named like a table', async () => {
    const bucket = await moto.createBucket()
    await putFiles(moto, bucket, pets)
    const whole = await indexS3(`s3://${bucket}`)
    expect((await indexS3(`s3://${bucket}/`)).dataset).toEqual(whole.dataset)
    const odd = await indexS3(`${await makeBucket(pets, 'odd.csv')}/`)
    expect(odd.dataset).toEqual(whole.dataset)
  })

  it('gives the bytes of its samples, more than a page of them', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 1050 }, (_, n) => [`${n % 2 ? 'cat' : 'dog'}/${n}.png`, `image ${n}`]),
    )
    const { dataset, reader } = await indexS3(await makeBucket(many))
    expect(dataset.samples.length).toBe(1050)
    expect(Buffer.from(await reader.read(sha256('image 1049'))).toString()).toBe('image 1049')
    expect(reader.nameOf(sha256('image 1049'))).toBe('cat/1049.png')
    expect((await failureOf(reader.read(sha256('no')))).code).toBe('NOT_FOUND')
    await reader.close()
  })

  it('leaves out and names what no folder could hold', async () => {
    const url = await makeBucket({
      ...pets,
      'cat/../../../etc/passwd.png': 'up',
      '../up.png': 'up',
      'cat//double.png': 'double',
      '/absolute.png': 'absolute',
      'cat/./dot.png': 'dot',
      'cat/back\\slash.png': 'slash',
      'cat/bell\u0007.png': 'bell',
      'cat/': '',
      'empty/': '',
      '': '',
      'dog/marker.png/': 'a marker with content',
    })
    const { dataset } = await indexS3(url)
    expect([...byName(dataset).keys()].sort()).toEqual(Object.keys(pets))
    expect(dataset.notes).toContain('ignored 1 object whose key ends with "/"')
    const refused = dataset.notes.filter((note) => note.startsWith('refused'))
    expect(refused.sort()).toEqual([
      'refused "../up.png" (the part "..")',
      'refused "/absolute.png" (an empty part)',
      'refused "cat/../../../etc/passwd.png" (the part "..")',
      'refused "cat/./dot.png" (the part ".")',
      'refused "cat//double.png" (an empty part)',
      'refused "cat/back\\\\slash.png" (a backslash)',
      'refused "cat/bell\\u0007.png" (a control character)',
    ])
  })
})

describe('a table in a bucket', () => {
  const images = { 'i/a.png': 'A', 'i/b, c.png': 'B', 'i/c.png': 'C', 'i/d.png': 'D' }
  const csv =
    '\uFEFFpath,label,split\r\ni/a.png,"cat, big",train\r\n"i/b, c.png","cat, big",val\r\n\r\n./i/c.png,dog,train\r\ni/x/../d.png, dog ,test\r\n'
  const jsonl =
    '{"path":"i/a.png","label":"x"}\n\n{"path":"i/b, c.png","label":"x"}\n{"path":"i/c.png","label":"y"}\n{"path":"i/d.png","label":"y"}'

  it.each([
    ['labels.csv', csv],
    ['labels.jsonl', jsonl],
    ['labels.NDJSON', jsonl],
  ])('%s is the dataset that the file is', async (name, text) => {
    const files = { ...images, [name]: text }
    const local = (await indexAt(join(await makeTree(files), name))).dataset
    const { dataset, reader } = await indexS3(`${await makeBucket(files)}/${name}`)
    expect(dataset).toEqual(local)
    expect(Buffer.from(await reader.read(sha256('B'))).toString()).toBe('B')
  })

  it('may lie at the top of the bucket', async () => {
    const bucket = await moto.createBucket()
    await putFiles(moto, bucket, { ...images, 'labels.csv': csv })
    expect((await indexS3(`s3://${bucket}/labels.csv`)).dataset.samples.length).toBe(4)
  })

  it('reports all faults at once, in the order of rows', async () => {
    const text =
      'path,label\ni/a.png,cat\nmissing.png,cat\n../up.png,dog\n/etc/passwd,dog\ni/,dog\n,dog\ni\\c.png,dog\n'
    const url = `${await makeBucket({ ...images, 't.csv': text })}/t.csv`
    const failure = await failureOf(indexS3(url))
    expect(failure.code).toBe('DATASET_INVALID')
    expect(failure.details).toEqual([
      'row 3: missing.png: the file is missing',
      'row 4: the path ../up.png leaves the folder',
      'row 5: the path /etc/passwd leaves the folder',
      'row 6: i/: the path is no regular file',
      'row 7: the path is empty',
      'row 8: the path "i\\\\c.png" has a backslash',
    ])
    const broken = indexS3(`${await makeBucket({ ...images, 't.csv': '"' })}/t.csv`)
    expect((await failureOf(broken)).code).toBe('DATASET_INVALID')
  })

  it('that is not there, or names nothing, is refused', async () => {
    const url = await makeBucket(images)
    expect((await failureOf(indexS3(`${url}/no.csv`))).code).toBe('INPUT_MISSING')
    const empty = await makeBucket({ ...images, 't.csv': 'path,label\n' })
    expect((await failureOf(indexS3(`${empty}/t.csv`))).code).toBe('DATASET_EMPTY')
  })
})

describe('indexing again', () => {
  it('downloads only what is new or changed, for prefixes and tables', async () => {
    const table = 'path,label\ncat/a.png,x\ncat/b.png,x\ndog/c.jpg,y\ndog/d.webp,y\n'
    const url = await makeBucket({ ...pets, 't.csv': table })
    const cacheDir = await makeFolder()
    const index = async (address: string) => {
      const watched = watching(objects)
      const { dataset } = await indexS3(address, {}, { cacheDir, objects: watched.open })
      return { dataset, read: watched.read.map((key) => key.slice('data/pets/'.length)).sort() }
    }
    const first = await index(url)
    expect(first.read).toEqual(Object.keys(pets))
    expect(await index(url)).toEqual({ ...first, read: [] })
    expect((await index(`${url}/t.csv`)).read).toEqual(['t.csv'])

    await putFiles(moto, bucketOf(url), { 'data/pets/cat/a.png': 'a' })
    await putFiles(moto, bucketOf(url), { 'data/pets/dog/new.png': 'N' })
    const changed = await index(url)
    expect(changed.read).toEqual(['cat/a.png', 'dog/new.png'])
    expect(byName(changed.dataset).get('cat/a.png')?.key).toBe(sha256('a'))
    await deleteFile(moto, bucketOf(url), 'data/pets/dog/new.png')
    expect((await index(url)).read).toEqual([])
  })

  it('remembers what was hashed before it was interrupted', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 120 }, (_, n) => [`${n % 2 ? 'a' : 'b'}/${n}.png`, `${n}`]),
    )
    const url = await makeBucket(files)
    const cacheDir = await makeFolder()
    const controller = new AbortController()
    const aborted = indexS3(
      url,
      {},
      {
        cacheDir,
        signal: controller.signal,
        onProgress: (done) => done === 40 && controller.abort(),
      },
    )
    expect((await failureOf(aborted)).code).toBe('INTERRUPTED')
    const watched = watching(objects)
    await indexS3(url, {}, { cacheDir, objects: watched.open })
    expect(watched.read.length).toBeGreaterThan(0)
    expect(watched.read.length).toBeLessThanOrEqual(80)
  })
})

describe('an object that is not what was indexed', () => {
  it('is DATASET_CHANGED, unless the sample has another name', async () => {
    const url = await makeBucket({ ...pets, 'cat/copy.png': 'A' })
    const bucket = bucketOf(url)
    const { reader } = await indexS3(url)
    await deleteFile(moto, bucket, 'data/pets/cat/a.png')
    expect(Buffer.from(await reader.read(sha256('A'))).toString()).toBe('A')
    await putFiles(moto, bucket, { 'data/pets/cat/copy.png': 'Z' })
    expect(await failureOf(reader.read(sha256('A')))).toMatchObject({
      code: 'DATASET_CHANGED',
      message: 'cat/a.png changed or vanished since it was indexed',
    })
    await deleteFile(moto, bucket, 'data/pets/dog/c.jpg')
    expect((await failureOf(reader.read(sha256('C')))).code).toBe('DATASET_CHANGED')
  })

  it('is not mistaken for a server that does not answer', async () => {
    const url = await makeBucket(pets)
    const { dataset } = await indexS3(url)
    const dead = createObjectOpener({ s3Endpoint: 'http://127.0.0.1:9' })
    const source = await dead.open(bucketOf(url))
    const reader = createObjectReader(source, 'data/pets/', dataset.samples)
    expect((await failureOf(reader.read(sha256('A')))).code).toBe('STORE_UNAVAILABLE')
    await dead.close()
  })
})

describe('an address that is no dataset', () => {
  it.each([
    ['s3://key:secret@bucket/pets', 'REQUEST_INVALID'],
    ['s3://key@bucket/pets', 'REQUEST_INVALID'],
    ['s3://bucket/pets?X-Amz-Signature=secret', 'REQUEST_INVALID'],
    ['s3://bucket/pets#secret', 'REQUEST_INVALID'],
    ['s3://B/secret', 'REQUEST_INVALID'],
    ['s3:bucket/secret', 'REQUEST_INVALID'],
    ['S3://bucket/secret', 'REQUEST_INVALID'],
    ['s3://bucket/secret/../up', 'REQUEST_INVALID'],
    ['s3://bucket//secret', 'REQUEST_INVALID'],
    [`s3://bucket/${'secret'.repeat(200)}`, 'REQUEST_INVALID'],
    ['s3://bucket/rows.npy', 'DATASET_INVALID'],
    ['s3://bucket/rows.ARROW', 'DATASET_INVALID'],
  ])('%s is refused before anything is asked, without repeating a secret', async (url, code) => {
    const refuse: OpenObjects = async () => expect.fail('a bucket was opened')
    const failure = await failureOf(indexAt(url, {}, { objects: refuse }))
    expect(failure.code).toBe(code)
    expect(failure.message).not.toContain('secret')
  })

  it('says which bucket or prefix is not there', async () => {
    expect(await failureOf(indexS3('s3://no-such-bucket-here/x'))).toMatchObject({
      code: 'INPUT_MISSING',
      message: expect.stringContaining('no-such-bucket-here'),
    })
    expect((await failureOf(indexS3('s3://no-such-bucket-here/x.csv'))).code).toBe('INPUT_MISSING')
    const url = await makeBucket(pets)
    expect((await failureOf(indexS3(`${url}-others`))).code).toBe('INPUT_MISSING')
    expect((await failureOf(indexS3(url, { target: 'regression' }))).code).toBe('DATASET_INVALID')
    expect((await failureOf(indexS3(url, { labels: 'l.csv' }))).code).toBe('REQUEST_INVALID')
    expect((await failureOf(indexS3(`${url}/cat`))).code).toBe('DATASET_EMPTY')
  })
})
