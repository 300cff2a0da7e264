// Pushing a dataset: each content once, the marker last, and going on where it stopped.
import { rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openContent } from '../../src/dataset/open-content.js'
import { pushSamples } from '../../src/dataset/push.js'
import { copyPushed, loadPushed } from '../../src/dataset/pushed.js'
import { tooLarge } from '../../src/dataset/reader.js'
import { resplit } from '../../src/dataset/resplit.js'
import { saveDataset } from '../../src/dataset/save.js'
import type { Dataset } from '../../src/dataset/types.js'
import { sha256 } from '../../src/identity/hash.js'
import { createFileStore } from '../../src/store/file.js'
import type { OpenObjects } from '../../src/store/object-source.js'
import type { Store } from '../../src/store/port.js'
import { bytesOf, failureOf, indexAt, makeFolder, makeTree, npyBytes } from './support.js'

const pets = { 'cat/a.png': 'A', 'cat/b.png': 'B', 'dog/c.jpg': 'C', 'dog/d.webp': 'D' }
const objects: OpenObjects = async () => expect.fail('a bucket was opened')

/** A store that notes what is written, and may fail after so many writes. */
const makeStore = async (): Promise<{ store: Store; written: string[]; tried: string[] }> => {
  const store = createFileStore(await makeFolder())
  const written: string[] = []
  const tried: string[] = []
  const watched: Store = {
    ...store,
    async putIfAbsent(key, content) {
      tried.push(key)
      const answer = await store.putIfAbsent(key, content)
      if (answer === 'created') written.push(key)
      return answer
    },
  }
  return { store: watched, written, tried }
}

const blobsOf = ({ samples }: Dataset): string[] => samples.map(({ key }) => `blobs/${key}`).sort()

const keysBelow = async (store: Store, prefix: string): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys.sort()
}

const setUp = async (files: Readonly<Record<string, string>> = pets) => {
  const root = await makeTree(files)
  const { dataset } = await indexAt(root)
  const made = await makeStore()
  await saveDataset(made.store, dataset)
  made.written.length = 0
  made.tried.length = 0
  const push = (options: { signal?: AbortSignal; onProgress?: (done: number) => void } = {}) =>
    pushSamples({
      store: made.store,
      dataset,
      open: () => openContent({ store: made.store, objects, dataset, from: root }),
      ...options,
    })
  return { root, dataset, push, ...made }
}

describe('a push', () => {
  it('uploads each content once, the marker last, and nothing the second time', async () => {
    const { store, dataset, push, written, tried } = await setUp({ ...pets, 'cat/copy.png': 'A' })
    const done: number[] = []
    const first = await push({ onProgress: (count) => done.push(count) })
    expect(first).toEqual({ samples: 4, uploaded: 4, present: 0, tooLarge: 0, bytes: 4 })
    expect(written.slice(0, -1).sort()).toEqual(blobsOf(dataset))
    expect(written.at(-1)).toBe(`datasets/${dataset.datasetId}/pushed.json`)
    expect(done).toEqual([0, 1, 2, 3, 4])
    expect(await keysBelow(store, `datasets/${dataset.datasetId}/push`)).toEqual([
      `datasets/${dataset.datasetId}/pushed.json`,
    ])
    tried.length = 0
    expect(await push()).toMatchObject({ uploaded: 0, present: 4, bytes: 0 })
    expect(tried).toEqual([`datasets/${dataset.datasetId}/pushed.json`])
  })

  it('needs no content when all of it is there already', async () => {
    const { store, root, dataset, push } = await setUp()
    await push()
    await store.delete(`datasets/${dataset.datasetId}/pushed.json`)
    await rm(root, { recursive: true })
    expect(await push()).toMatchObject({ uploaded: 0, present: 4 })
    expect(await loadPushed(store, dataset.datasetId)).toMatchObject({ samples: 4, tooLarge: [] })
  })

  it('goes on where it was interrupted, without a marker until all is there', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 100 }, (_, n) => [`${n % 2 ? 'a' : 'b'}/${n}.png`, `${n}`]),
    )
    const { store, dataset, push, written } = await setUp(files)
    const controller = new AbortController()
    const onProgress = (done: number): void => {
      if (done === 30) controller.abort()
    }
    const interrupted = push({ signal: controller.signal, onProgress })
    expect((await failureOf(interrupted)).code).toBe('INTERRUPTED')
    const before = await keysBelow(store, 'blobs/')
    expect(before.length).toBeGreaterThanOrEqual(30)
    expect(before.length).toBeLessThan(100)
    expect(await loadPushed(store, dataset.datasetId)).toBeNull()
    written.length = 0
    expect(await push()).toMatchObject({ uploaded: 100 - before.length, present: before.length })
    expect(written.filter((key) => before.includes(key))).toEqual([])
    expect(await keysBelow(store, 'blobs/')).toEqual(blobsOf(dataset))
  })

  it('pushes everything else when samples are lost, names them, and writes no marker', async () => {
    const { store, root, dataset, push } = await setUp()
    await rm(join(root, 'cat/a.png'))
    await writeFile(join(root, 'dog/c.jpg'), 'Z')
    const failure = await failureOf(push())
    expect(failure.code).toBe('DATASET_CHANGED')
    expect(failure.details).toEqual(['cat/a.png', 'dog/c.jpg'])
    expect(await keysBelow(store, 'blobs/')).toEqual(
      ['B', 'D'].map((text) => `blobs/${sha256(text)}`).sort(),
    )
    expect(await loadPushed(store, dataset.datasetId)).toBeNull()
    await writeFile(join(root, 'cat/a.png'), 'A')
    await writeFile(join(root, 'dog/c.jpg'), 'C')
    expect(await push()).toMatchObject({ uploaded: 2, present: 2 })
  })

  it('of two datasets that overlap, at once, uploads what both have once', async () => {
    const one = await setUp()
    const other = (await indexAt(await makeTree({ ...pets, 'dog/e.png': 'E', 'cat/f.png': 'F' })))
      .dataset
    const { store, written } = one
    await saveDataset(store, other)
    written.length = 0
    const root = await makeTree({ ...pets, 'dog/e.png': 'E', 'cat/f.png': 'F' })
    const pushOther = () =>
      pushSamples({
        store,
        dataset: other,
        open: () => openContent({ store, objects, dataset: other, from: root }),
      })
    const results = await Promise.all([one.push(), pushOther(), one.push()])
    const uploaded = results.reduce((sum, result) => sum + result.uploaded, 0)
    expect(uploaded).toBe(6)
    expect(await keysBelow(store, 'blobs/')).toEqual(blobsOf(other))
    expect(written.filter((key) => key.startsWith('blobs/')).length).toBe(6)
    for (const { datasetId } of [one.dataset, other])
      expect(await loadPushed(store, datasetId)).not.toBeNull()
    expect(await keysBelow(store, 'datasets/')).not.toContainEqual(
      expect.stringContaining('pushing'),
    )
  })

  it('uploads again what a collection took while it was going on', async () => {
    const { store, root, dataset, push } = await setUp()
    await push()
    await store.delete(`datasets/${dataset.datasetId}/pushed.json`)
    await store.delete(`blobs/${sha256('A')}`)
    // B goes when A is read: after it was found, before the marker.
    const sabotaged = pushSamples({
      store,
      dataset,
      open: async () => {
        const reader = await openContent({ store, objects, dataset, from: root })
        return {
          ...reader,
          async read(key) {
            if (key === sha256('A')) await store.delete(`blobs/${sha256('B')}`)
            return reader.read(key)
          },
        }
      },
    })
    expect(await sabotaged).toMatchObject({ uploaded: 2, present: 2 })
    expect(await keysBelow(store, 'blobs/')).toEqual(blobsOf(dataset))
  })

  it('of tensors pushes the bytes of each row', async () => {
    const values = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8])
    const root = await makeTree({
      'rows.npy': npyBytes({ shape: [4, 2] }, bytesOf(values)),
      'labels.csv': 'label\nx\ny\nx\ny\n',
    })
    const from = join(root, 'rows.npy')
    const { dataset } = await indexAt(from, { labels: join(root, 'labels.csv') })
    const { store } = await makeStore()
    await saveDataset(store, dataset)
    const open = () => openContent({ store, objects, dataset, from })
    expect(await pushSamples({ store, dataset, open })).toMatchObject({ uploaded: 4, bytes: 32 })
    await rm(from)
    const reader = await open()
    const local = await indexAt(
      join(
        await makeTree({ 'rows.npy': npyBytes({ shape: [4, 2] }, bytesOf(values)) }),
        'rows.npy',
      ),
      { labels: join(root, 'labels.csv') },
    )
    for (const { key } of dataset.samples)
      expect(Buffer.from(await reader.read(key))).toEqual(Buffer.from(await local.reader.read(key)))
  })

  it('leaves out what is too large to be a sample, and so does who reads it', async () => {
    const { store, dataset, root } = await setUp()
    const open = async () => {
      const reader = await openContent({ store, objects, dataset, from: root })
      const read = async (key: string) => {
        if (key === sha256('B')) throw tooLarge()
        return reader.read(key)
      }
      return { ...reader, read }
    }
    const pushed = await pushSamples({ store, dataset, open })
    expect(pushed).toMatchObject({ uploaded: 3, tooLarge: 1 })
    await rm(root, { recursive: true })
    const again = await pushSamples({ store, dataset, open })
    expect(again).toMatchObject({ uploaded: 0, present: 3, tooLarge: 1 })
    const reader = await openContent({ store, objects, dataset, from: root })
    expect((await failureOf(reader.read(sha256('B')))).code).toBe('SAMPLE_INVALID')
  })
})

describe('the content of a dataset', () => {
  it('is read where it lies, else from the store, else it is unreachable', async () => {
    const { store, root, dataset, push } = await setUp()
    await push()
    const open = (from = root) => openContent({ store, objects, dataset, from })
    await writeFile(join(root, 'cat/a.png'), 'changed')
    expect((await failureOf((await open()).read(sha256('A')))).code).toBe('DATASET_CHANGED')
    await rm(root, { recursive: true })
    const reader = await open()
    expect(Buffer.from(await reader.read(sha256('A'))).toString()).toBe('A')
    expect(reader.nameOf(sha256('A'))).toBe('cat/a.png')
    expect((await failureOf(reader.read(sha256('no')))).code).toBe('NOT_FOUND')

    await store.delete(`blobs/${sha256('A')}`)
    expect(await failureOf(reader.read(sha256('A')))).toMatchObject({
      code: 'DATASET_CHANGED',
      message: expect.stringContaining('push the dataset again'),
    })
    await store.putIfAbsent(`blobs/${sha256('A')}`, Buffer.from('forged'))
    expect((await failureOf(reader.read(sha256('A')))).code).toBe('STORE_CORRUPT')

    await store.delete(`datasets/${dataset.datasetId}/pushed.json`)
    const failure = await failureOf(open())
    expect(failure).toMatchObject({ code: 'DATASET_UNREACHABLE', retryable: false })
    for (const fact of [root, hostname(), dataset.datasetId.slice(0, 12)])
      expect(failure.message).toContain(fact)
    expect(failure.remedy).toContain('headstart dataset push')
  })

  it('is that of the dataset with other splits', async () => {
    const { store, root, dataset, push } = await setUp()
    const other = resplit(dataset, { train: 1, validation: 0, test: 0 })
    await copyPushed(store, dataset.datasetId, other)
    expect(await loadPushed(store, other.datasetId)).toBeNull()
    await push()
    await copyPushed(store, dataset.datasetId, other)
    await rm(root, { recursive: true })
    const reader = await openContent({ store, objects, dataset: other, from: root })
    expect(Buffer.from(await reader.read(sha256('C'))).toString()).toBe('C')
  })
})
