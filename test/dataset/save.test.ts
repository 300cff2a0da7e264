import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { openRegistered } from '../../src/dataset/open-registered.js'
import { loadDataset, loadStoredDataset, saveDataset } from '../../src/dataset/save.js'
import type { Dataset } from '../../src/dataset/types.js'
import { canonicalJson, type JsonValue } from '../../src/identity/canonical-json.js'
import { sha256 } from '../../src/identity/hash.js'
import {
  byName,
  bytesOf,
  createMemoryStore,
  failureOf,
  indexAt,
  makeTree,
  npyBytes,
} from './support.js'

const pets = {
  'cat/a.png': 'A',
  'cat/ü.png': 'A',
  'cat/b.png': 'B',
  'dog/c.jpg': 'C',
  'dog/d.webp': 'D',
}
const x = npyBytes({ shape: [4, 1] }, bytesOf(Float32Array.of(1, 2, 3, 4)))
const withoutNotes = (dataset: Dataset): Dataset => ({ ...dataset, notes: [] })

describe('a saved dataset', () => {
  it('is loaded as it was, for every target', async () => {
    const store = createMemoryStore()
    const csv = 'path,label\ncat/a.png,1.5|2\ncat/b.png,3|-4\n'
    const root = await makeTree({ ...pets, 't.csv': csv })
    const datasets = [
      (await indexAt(root)).dataset,
      (await indexAt(root, { target: 'multi' })).dataset,
      (await indexAt(join(root, 't.csv'), { target: 'regression' })).dataset,
    ]
    for (const dataset of datasets) {
      await saveDataset(store, dataset)
      expect(await loadDataset(store, dataset.datasetId)).toEqual(withoutNotes(dataset))
    }
    expect(store.objects.size).toBe(6)
  })

  it('has the same bytes every time, in a form that other tools open', async () => {
    const { dataset } = await indexAt(await makeTree(pets))
    const [first, second] = [createMemoryStore(), createMemoryStore()]
    await saveDataset(first, dataset)
    await saveDataset(first, dataset)
    await saveDataset(second, dataset)
    expect([...first.objects]).toEqual([...second.objects])
    expect([...first.objects.keys()].at(-1)).toBe(`datasets/${dataset.datasetId}/dataset.json`)
    const index = first.objects.get(`datasets/${dataset.datasetId}/index.arrow`) ?? new Uint8Array()
    const table = tableFromIPC(index)
    expect(table.schema.fields.map(String)).toEqual([
      'key: FixedSizeBinary[32]',
      'names: List<Utf8>',
      'label: List<Float64>',
      'split: Utf8',
    ])
    const names = Array.from({ length: 4 }, (_, row) => table.getChild('names')?.get(row)?.toJSON())
    expect(names).toEqual(dataset.samples.map((sample) => sample.names))
  })

  it('is described by canonical JSON with counts', async () => {
    const store = createMemoryStore()
    const { dataset } = await indexAt(
      await makeTree(pets),
      {},
      { split: { train: 1, validation: 0, test: 0 } },
    )
    await saveDataset(store, dataset)
    const stored = await loadStoredDataset(store, dataset.datasetId)
    expect(stored.samples).toBe(4)
    expect(stored.counts.train).toEqual({ samples: 4, classes: [2, 2] })
    expect(stored.counts.test).toEqual({ samples: 0, classes: [0, 0] })
    const text = store.objects.get(`datasets/${dataset.datasetId}/dataset.json`)
    expect(Buffer.from(text ?? []).toString()).toBe(canonicalJson(stored as JsonValue))
  })

  it('is refused when it is absent, incomplete or not what was recorded', async () => {
    const store = createMemoryStore()
    const { dataset } = await indexAt(await makeTree(pets))
    const load = () => failureOf(loadDataset(store, dataset.datasetId))
    expect((await load()).code).toBe('NOT_FOUND')
    expect((await failureOf(loadDataset(store, '../x'))).code).toBe('NOT_FOUND')
    await saveDataset(store, dataset)
    const [indexKey = '', descriptionKey = ''] = [...store.objects.keys()]
    const index = store.objects.get(indexKey) ?? new Uint8Array()
    store.objects.set(
      indexKey,
      index.map((byte, at) => (at === 400 ? byte ^ 1 : byte)),
    )
    expect((await load()).code).toBe('STORE_CORRUPT')
    store.objects.delete(indexKey)
    expect((await load()).code).toBe('STORE_CORRUPT')
    store.objects.set(indexKey, index)
    const description = Buffer.from(store.objects.get(descriptionKey) ?? []).toString()
    store.objects.set(descriptionKey, Buffer.from(description.replace('"dog"', '"wolf"')))
    expect((await load()).message).toContain('do not give its id')
    store.objects.set(descriptionKey, Buffer.from(description.replace('{', '{"more":1,')))
    expect((await load()).code).toBe('STORE_CORRUPT')
  })
})

describe('a registered dataset', () => {
  const registered = async (from: string, labels?: string): Promise<Dataset> => {
    const store = createMemoryStore()
    const { dataset, reader } = await indexAt(from, labels === undefined ? {} : { labels })
    await reader.close()
    await saveDataset(store, dataset)
    return loadDataset(store, dataset.datasetId)
  }

  it('is read from its folder, also where the folder lies now', async () => {
    const root = await makeTree({ ...pets })
    const dataset = await registered(root)
    const moved = `${root}-moved`
    await rename(root, moved)
    expect((await failureOf(openRegistered(dataset, root))).code).toBe('INPUT_MISSING')
    const reader = await openRegistered(dataset, moved)
    expect(Buffer.from(await reader.read(sha256('C'))).toString()).toBe('C')
    await rename(moved, root)
    expect((await failureOf(reader.read(sha256('D')))).code).toBe('DATASET_CHANGED')
  })

  it('is read from a table and from a tensor file', async () => {
    const csv = 'path,label\ncat/a.png,x\ncat/b.png,x\ndog/c.jpg,y\ndog/d.webp,y\n'
    const root = await makeTree({
      ...pets,
      't.csv': csv,
      'x.npy': x,
      'y.csv': 'label\na\na\nb\nb\n',
    })
    const table = await openRegistered(await registered(join(root, 't.csv')), join(root, 't.csv'))
    expect(Buffer.from(await table.read(sha256('A'))).toString()).toBe('A')
    const tensor = await registered(join(root, 'x.npy'), join(root, 'y.csv'))
    const reader = await openRegistered(tensor, join(root, 'x.npy'))
    const key = byName(tensor).get('row-2')?.key ?? ''
    expect([...(await reader.read(key))]).toEqual([...bytesOf(Float32Array.of(3))])
    await reader.close()
    expect((await failureOf(openRegistered(tensor, root))).code).toBe('DATASET_INVALID')
  })
})
