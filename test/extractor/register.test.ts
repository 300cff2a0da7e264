import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import { baseFileKey } from '../../src/extractor/base/file-key.js'
import {
  type BaseRecord,
  baseRecordKey,
  loadBase,
  loadBaseRecord,
  loadTfjsBase,
} from '../../src/extractor/base/load.js'
import { registerBase } from '../../src/extractor/base/register.js'
import { sha256 } from '../../src/identity/hash.js'
import { createFileStore } from '../../src/store/file.js'
import type { Store } from '../../src/store/port.js'
import {
  type EditableBase,
  graphBaseInMemory,
  tinyBaseInMemory,
  writeBase,
} from '../support/base-files.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { serveFolder } from '../support/http-folder.js'

let tiny: EditableBase
let folder: string
let storeFolder: string
let store: Store
beforeEach(async () => {
  tiny = await tinyBaseInMemory()
  folder = await writeBase(tiny)
  storeFolder = await makeFolder()
  store = createFileStore(storeFolder)
})

type LayerJson = { class_name: string; config: Record<string, unknown> }
const layersOf = ({ model }: EditableBase): LayerJson[] => {
  const config = model.modelTopology.model_config as { config: { layers: LayerJson[] } }
  return config.config.layers
}
const keysOf = async (): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list('bases/')) keys.push(key)
  return keys
}

describe('registering a base', () => {
  it('keeps its exact bytes, and says what can be cut', async () => {
    const record = await registerBase(store, folder)
    expect(record).toMatchObject({
      version: 1,
      format: 'layers-model',
      parameters: 128,
      inputShape: [8, 8, 3],
      cuts: [
        { path: 'conv', className: 'Conv2D', shape: [6, 6, 4] },
        { path: 'bn', className: 'BatchNormalization', shape: [6, 6, 4] },
        { path: 'pool', className: 'GlobalAveragePooling2D', shape: [4] },
      ],
    })
    const contents = [Buffer.from(JSON.stringify(tiny.model)), tiny.weights]
    for (const [i, file] of record.files.entries()) {
      const content = contents[i] as Buffer
      expect(file).toMatchObject({ bytes: content.length, sha256: sha256(content) })
      expect(await store.get(baseFileKey(record.baseId, file.sha256))).toEqual(
        new Uint8Array(content),
      )
    }
    expect(await loadBaseRecord(store, record.baseId)).toEqual(record)
  })

  it('of any image size knows no spatial size of its cuts', async () => {
    const cutsOf = async (side?: number) =>
      (await registerBase(store, await writeBase(graphBaseInMemory(side)))).cuts
    expect(await cutsOf(-1)).toEqual([
      { path: 'conv', className: 'Conv2D', shape: [null, null, 5] },
      { path: 'biased', className: 'BiasAdd', shape: [null, null, 5] },
      { path: 'relu', className: 'Relu', shape: [null, null, 5] },
      { path: 'mean', className: 'Mean', shape: [5] },
    ])
    expect(await cutsOf()).toContainEqual({ path: 'relu', className: 'Relu', shape: [8, 8, 5] })
  })

  it('writes the record last, so that a base with a record is whole', async () => {
    const written: string[] = []
    const watched: Store = {
      ...store,
      putIfAbsent: (key, content) => {
        written.push(key)
        return store.putIfAbsent(key, content)
      },
    }
    const { baseId, files } = await registerBase(watched, folder)
    expect(written).toEqual([
      ...files.map((file) => baseFileKey(baseId, file.sha256)),
      baseRecordKey(baseId),
    ])
  })

  it('that was stopped by a full disk leaves no record, and goes on when there is room', async () => {
    let room = 1
    const filling: Store = {
      ...store,
      putIfAbsent: async (key, content) => {
        if (room === 0) throw new HeadstartError('STORE_FULL', 'the disk is full')
        room -= 1
        return store.putIfAbsent(key, content)
      },
    }
    await expect(registerBase(filling, folder)).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect((await keysOf()).filter((key) => key.endsWith('base.json'))).toEqual([])
    const { baseId } = await registerBase(store, folder)
    expect((await loadBase(store, baseId)).baseId).toBe(baseId)
  })

  it('again, from elsewhere or cut into other files, changes nothing', async () => {
    const record = await registerBase(store, folder)
    const before = await filesBelow(storeFolder)
    const server = await serveFolder(folder)
    const [first] = tiny.model.weightsManifest
    const files = { ...tiny.model, weightsManifest: [{ ...first, paths: ['a.bin', 'b.bin'] }] }
    const others = [
      folder,
      server.url,
      await writeBase(tiny),
      await writeBase({ ...tiny, model: files as EditableBase['model'] }),
    ]
    for (const from of others) expect(await registerBase(store, from)).toEqual(record)
    expect(await filesBelow(storeFolder)).toEqual(before)
    await server.stop()
  })

  it('that has as many weight files as it likes loads the same base again', async () => {
    const [first] = tiny.model.weightsManifest
    const paths = Array.from({ length: 7 }, (_, i) => `part/${i}.bin`)
    const model = { ...tiny.model, weightsManifest: [{ ...first, paths }] } as EditableBase['model']
    const { baseId, files } = await registerBase(store, await writeBase({ ...tiny, model }))
    expect(files).toHaveLength(8)
    expect(Buffer.from((await loadTfjsBase(store, baseId)).weights).equals(tiny.weights)).toBe(true)
  })
})

describe('a base that cannot be used is refused, and nothing is written', () => {
  const refused = async (code: string, base: EditableBase, said: RegExp): Promise<void> => {
    await expect(registerBase(store, await writeBase(base))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(said) as string,
    })
    expect(await keysOf()).toEqual([])
  }

  it('an unknown layer class', async () => {
    layersOf(tiny)[1] = { class_name: 'FancyConv', config: { name: 'conv' } }
    await refused('BASE_LAYER_UNKNOWN', tiny, /FancyConv/)
  })

  it('an unknown operation in a graph', async () => {
    const graph = graphBaseInMemory()
    const nodes = graph.model.modelTopology.node as { op: string }[]
    for (const node of nodes) if (node.op === 'Relu') node.op = 'FancyRelu'
    await refused('BASE_LAYER_UNKNOWN', graph, /FancyRelu/)
  })

  it('all-NaN weights', async () => {
    const weights = Buffer.alloc(tiny.weights.length, 0xff)
    await refused('BASE_WEIGHTS_INVALID', { ...tiny, weights }, /not finite/)
  })

  it('truncated and oversized weights', async () => {
    const longer = Buffer.concat([tiny.weights, Buffer.alloc(4)])
    await refused('BASE_WEIGHTS_INVALID', { ...tiny, weights: longer }, /516 bytes found, 512/)
    const shorter = tiny.weights.subarray(4)
    await refused('BASE_WEIGHTS_INVALID', { ...tiny, weights: shorter }, /508 bytes found, 512/)
  })

  it('weights that leave the folder', async () => {
    const elsewhere = join(await writeBase(tiny), 'model')
    const [first] = tiny.model.weightsManifest
    const model = { ...tiny.model, weightsManifest: [{ ...first, paths: ['../weights.bin'] }] }
    await writeBase({ model: model as EditableBase['model'], weights: tiny.weights }, elsewhere)
    await expect(registerBase(store, elsewhere)).rejects.toMatchObject({ code: 'BASE_PATH_UNSAFE' })
    expect(await keysOf()).toEqual([])
  })

  it('weights of other layers, or too few of them', async () => {
    const weights = tiny.model.weightsManifest[0]?.weights ?? []
    for (const entry of weights) entry.name = entry.name.replace('conv/', 'convolution/')
    await refused('BASE_INVALID', tiny, /conv/)
  })

  it('weights of another shape than their layers', async () => {
    const weights = tiny.model.weightsManifest[0]?.weights ?? []
    ;(weights[0] as { shape: number[] }).shape = [3, 3, 4, 3]
    await refused('BASE_INVALID', tiny, /shape/i)
  })

  it('a topology without layers', async () => {
    layersOf(tiny).splice(1)
    await refused('BASE_INVALID', { ...tiny }, /./)
  })
})

describe('a base in the store', () => {
  it('that nobody registered is NOT_FOUND', async () => {
    await expect(loadBase(store, sha256('nobody'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('that misses a file, or has a file of another base, is STORE_CORRUPT', async () => {
    const record = await registerBase(store, folder)
    const weights = record.files[1] as BaseRecord['files'][0]
    const key = baseFileKey(record.baseId, weights.sha256)
    await store.delete(key)
    await expect(loadBase(store, record.baseId)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    const other = Buffer.from(tiny.weights)
    other.writeFloatLE(0.123, 0)
    await store.putIfAbsent(key, other)
    await expect(loadBase(store, record.baseId)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })
})
