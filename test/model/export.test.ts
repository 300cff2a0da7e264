import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import * as core from '@tensorflow/tfjs-core'
import * as tfLayers from '@tensorflow/tfjs-layers'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { prepareBase } from '../../examples/samples/prepare.mjs'
import { decodeImage } from '../../src/extractor/decode.js'
import { createNormalise } from '../../src/extractor/normalise.js'
import { openModelFolder } from '../../src/head/model-files.js'
import { sha256 } from '../../src/identity/hash.js'
import { modelCardSchema } from '../../src/model/card.js'
import { createCheckSamples } from '../../src/model/check-samples.js'
import { exportRun } from '../../src/model/export.js'
import { predictExpected } from '../../src/model/export-check.js'
import { openModel } from '../../src/model/open-model.js'
import type { RunRecord } from '../../src/model/run-record.js'
import type { Store } from '../../src/store/port.js'
import { BASES } from '../head/models.js'
import { CLASSES, openPlace, type Place, writeBase, writeImages, writeRows } from './runs.js'

const tamper = vi.hoisted(() => ({ on: false }))
vi.mock('../../src/head/compose.js', async (original) => {
  const real = await original<typeof import('../../src/head/compose.js')>()
  return {
    ...real,
    composeModel: async (...args: Parameters<typeof real.composeModel>) => {
      const artifacts = await real.composeModel(...args)
      if (tamper.on) new DataView(artifacts.weights.buffer).setFloat32(0, 3, true)
      return artifacts
    },
  }
})

let place: Place
let run: RunRecord

beforeAll(async () => {
  place = await openPlace()
  await writeBase(join(place.folder, 'base'), BASES.nestedMiddle())
  await writeImages(join(place.folder, 'images'))
  run = await place.train({
    name: 'colours',
    base: { from: './base', cut: 'model2/model2_bn' },
    preprocess: { range: 'caffe', fit: 'contain', kernel: 'lanczos3', background: [9, 99, 199] },
    dataset: { from: './images' },
    heads: [{ kind: 'mlp', width: 8, epochs: 4, learningRate: 0.05, dropout: 0.1 }],
    engine: 'wasm',
  })
})
afterAll(() => place.close())

const store = () => place.workspace.store
const at = (name: string) => join(place.folder, 'out', name)
const beside = async () => (await readdir(place.folder)).sort()

/** Runs the code of a README as a reader would, with the model behind a web server. */
const runReadme = async (folder: string, photo: string): Promise<[string, number][]> => {
  const text = await readFile(join(folder, 'README.md'), 'utf8')
  const code = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
  const server = createServer((request, response) => {
    readFile(join(folder, request.url ?? '')).then((bytes) => response.end(bytes))
  })
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done)
  })
  const { port } = server.address() as AddressInfo
  const body = code
    .replace(/^import .*$/gm, '')
    .replace('https://example.com', `http://127.0.0.1:${port}`)
    .replace('photo.jpg', photo)
    .replace('console.log(', 'return (')
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...values: unknown[]) => Promise<[string, number][]>
  const result = await new AsyncFunction('tf', 'sharp', body)({ ...core, ...tfLayers }, sharp)
  await new Promise((done) => {
    server.close(done)
  })
  return result
}

describe('an export', () => {
  it('holds the head, the whole model, the card and its text, and nothing else', async () => {
    const { folder, card } = await exportRun({ store: store(), run, folder: at('plain') })
    expect((await readdir(folder, { recursive: true })).sort()).toEqual([
      'README.md',
      'card.json',
      'head',
      'head/model.json',
      'head/weights.bin',
      'model',
      'model.onnx',
      'model/model.json',
      'model/weights.bin',
      'samples',
      'samples/expected.npy',
      'samples/features.npy',
      'samples/input.npy',
    ])
    expect(await readdir(join(folder, '..'))).toEqual(['plain'])
    expect(card).toMatchObject({
      exportCheck: {
        samples: 8,
        files: [
          { path: 'head/model.json', loadedWith: 'tf.loadLayersModel', tolerance: 1e-5 },
          { path: 'model/model.json', loadedWith: 'tf.loadLayersModel', tolerance: 1e-5 },
          { path: 'model.onnx', loadedWith: 'onnxruntime' },
        ],
      },
      notExported: [],
      lineage: { runId: run.runId },
      headInputShape: [5],
    })
    expect(card.exportCheck.maxAbsDiff).toBeLessThan(1e-5)
    const written = JSON.parse(await readFile(join(folder, 'card.json'), 'utf8')) as unknown
    expect(modelCardSchema.parse(written)).toEqual(card)
    for (const { path, bytes, sha256: hash } of card.files.all) {
      const content = await readFile(join(folder, path))
      expect([content.length, createHash('sha256').update(content).digest('hex')]).toEqual([
        bytes,
        hash,
      ])
    }
  })

  it('holds what was asked for by name and nothing else', async () => {
    const only = { store: store(), run }
    const onnx = await exportRun({ ...only, folder: at('only-onnx'), format: 'onnx' })
    expect(await readdir(onnx.folder)).toEqual(['README.md', 'card.json', 'model.onnx', 'samples'])
    expect(onnx.card.files).toMatchObject({ head: null, model: null })
    expect(onnx.card.headInputShape).toEqual([5])
    const folded = await exportRun({
      ...only,
      folder: at('only-tfjs'),
      format: 'tfjs',
      foldBatchNorm: true,
    })
    expect(await readdir(folded.folder)).toEqual([
      'README.md',
      'card.json',
      'head',
      'model',
      'samples',
    ])
    expect(folded.card.files.onnx).toBeNull()
    expect(folded.card.foldedBatchNormalization).toEqual({ folded: 2, replaced: 0 })
    const topology = await readFile(join(folded.folder, 'model/model.json'), 'utf8')
    expect(topology).not.toContain('"class_name":"BatchNormalization"')
    const both = { ...only, folder: at('neither'), format: 'onnx', foldBatchNorm: true } as const
    await expect(exportRun(both)).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  })

  it('gives the same bytes for the same run, and fills a folder that is there and empty', async () => {
    await mkdir(at('again'), { recursive: true })
    const first = await exportRun({ store: store(), run, folder: at('once') })
    const second = await exportRun({ store: store(), run, folder: at('again') })
    expect(second.card).toEqual(first.card)
    const text = (folder: string) => readFile(join(folder, 'README.md'), 'utf8')
    expect(await text(second.folder)).toBe(await text(first.folder))
  })

  it('predicts with the code of its README what the run predicts', async () => {
    const { folder } = await exportRun({ store: store(), run, folder: at('readme') })
    const photo = join(place.folder, 'images', CLASSES[0] ?? '', '3.png')
    const content = await readFile(photo)
    const model = await openModel(store(), run, { threads: 1 })
    const [prediction] = await model.predict([{ key: sha256(content), content }])
    await model.close()
    const answer = await runReadme(folder, photo)
    expect(answer.map(([name]) => name)).toEqual(CLASSES)
    const outputs = prediction?.ok ? [...prediction.outputs] : []
    expect(outputs).toHaveLength(3)
    for (const [i, value] of outputs.entries())
      expect(Math.abs(value - (answer[i]?.[1] ?? Number.NaN))).toBeLessThan(1e-6)
  })

  it('leaves no tensor behind', async () => {
    const { numTensors } = core.memory()
    await exportRun({ store: store(), run, folder: at('tensors') })
    expect(core.memory().numTensors).toBe(numTensors)
  })

  it('of rows and a regression takes rows and gives values in their units', async () => {
    const rows = await writeRows(join(place.folder, 'rows'))
    const base = sequential({
      layers: [layers.dense({ units: 16, inputShape: [6], activation: 'tanh', name: 'wide' })],
    })
    await writeBase(join(place.folder, 'row-base'), base)
    const regression = await place.train({
      base: { from: './row-base', cut: 'wide' },
      dataset: { ...rows, target: 'regression' },
      heads: [{ kind: 'linear', epochs: 60, learningRate: 0.05 }],
      engine: 'wasm',
    })
    const { folder, card } = await exportRun({
      store: store(),
      run: regression,
      folder: at('rows'),
    })
    expect(card.target).toMatchObject({ kind: 'regression' })
    const model = await openModelFolder(join(folder, 'model'))
    expect(model.inputShape).toEqual([6])
    const outputs = model.predict(new Float32Array(6), 1)
    expect(outputs).toHaveLength(2)
    expect(outputs[0]).toBeGreaterThan(500)
    model.close()
  })
})

describe('the check of an export', () => {
  it('runs the base once for each sample', async () => {
    const model = await openModel(store(), run, { threads: 1 })
    try {
      const samples = await createCheckSamples(run.extractor, 2)
      const rows = vi.spyOn(model.extractor, 'rows')
      const expected = await predictExpected(model, samples)
      expect(rows.mock.calls.map(([asked]) => asked.length)).toEqual([2])
      const predicted = await model.predict(samples.map(({ sample }) => sample))
      expect(expected.map(({ outputs }) => ({ ok: true, outputs }))).toEqual(predicted)
    } finally {
      await model.close()
    }
  })

  it('takes the normalised input from where the extractor takes it', async () => {
    const [sample] = await createCheckSamples(run.extractor, 1)
    if (sample === undefined || run.extractor.input.kind !== 'image') throw new Error('no image')
    const { input } = run.extractor
    const { key, content } = sample.sample
    const pixels = await decodeImage(content, key, input, { kind: 'plain' })
    expect(sample.values).toEqual(createNormalise(input)(pixels))
  })
})

describe('opening a run', () => {
  it('frees the head when the base cannot be loaded', async () => {
    const { numTensors } = core.memory()
    const base = { ...run.extractor.base, id: '0'.repeat(64) }
    const gone = { ...run, extractor: { ...run.extractor, base } }
    await expect(openModel(store(), gone, { threads: 1 })).rejects.toThrow()
    expect(core.memory().numTensors).toBe(numTensors)
  })
})

describe('an export that fails leaves nothing behind', () => {
  it('when the written model predicts something else', async () => {
    const before = await beside()
    tamper.on = true
    try {
      await expect(
        exportRun({ store: store(), run, folder: join(place.folder, 'new', 'deep', 'out') }),
      ).rejects.toMatchObject({ code: 'EXPORT_FAILED', message: /differs from the run/ })
    } finally {
      tamper.on = false
    }
    expect(await beside()).toEqual(before)
  })

  it('when it is interrupted', async () => {
    const before = await beside()
    const controller = new AbortController()
    const folder = join(place.folder, 'stopped')
    const { signal } = controller
    let written: string[] = []
    const stopping: Store = {
      ...store(),
      get: async (key) => {
        written = await beside()
        controller.abort()
        return store().get(key)
      },
    }
    await expect(exportRun({ store: stopping, run, folder, signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    expect(written.length).toBeGreaterThan(before.length)
    expect(await beside()).toEqual(before)
  })

  it('when the head in the store is gone', async () => {
    const before = await beside()
    const folder = join(place.folder, 'gone')
    const artifacts = { ...run.artifacts, weights: run.artifacts.topology }
    await expect(
      exportRun({ store: store(), run: { ...run, artifacts }, folder }),
    ).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    expect(await beside()).toEqual(before)
  })

  it('when the folder is in use, a file, or below a file', async () => {
    const folder = join(place.folder, 'full')
    await mkdir(folder)
    await writeFile(join(folder, 'mine.txt'), 'mine')
    const before = await beside()
    for (const [target, message] of [
      [folder, /not empty/],
      [join(folder, 'mine.txt'), /is a file/],
      [join(folder, 'mine.txt', 'x'), /mine.txt/],
    ] as const)
      await expect(exportRun({ store: store(), run, folder: target })).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
        message,
      })
    expect(await beside()).toEqual(before)
    expect(await readdir(folder)).toEqual(['mine.txt'])
    await rm(folder, { recursive: true })
  })
})

const GRAPH_CUT =
  'StatefulPartitionedCall/sequential/keras_layer/StatefulPartitionedCall/StatefulPartitionedCall/StatefulPartitionedCall/predict/MobilenetV2/Conv/Relu6'

describe('the real pretrained bases', { timeout: 300_000 }, () => {
  const realRun = async (name: string, cut: string, pooling: 'avg' | 'none') => {
    await prepareBase(name, join(place.folder, 'bases', name))
    await writeImages(join(place.folder, 'few'), 4)
    return place.train({
      base: { from: `./bases/${name}`, cut, pooling },
      dataset: { from: './few' },
      split: { train: 1, validation: 0, test: 0 },
      heads: [{ kind: 'linear', epochs: 2 }],
      engine: 'wasm',
    })
  }

  it('MobileNetV2 with its head is one plain LayersModel', async () => {
    const real = await realRun('mobilenet_v2', 'flatten_1', 'avg')
    const { folder, card } = await exportRun({ store: store(), run: real, folder: at('real') })
    expect(card.exportCheck.maxAbsDiff).toBeLessThan(1e-5)
    const model = await openModelFolder(join(folder, 'model'))
    expect(model.inputShape).toEqual([224, 224, 3])
    model.close()
  })

  it('a GraphModel base exports its head in TF.js and the whole in ONNX, and says so', async () => {
    const record = await realRun('mobilenet_v2_mid', GRAPH_CUT, 'avg')
    const { folder, card } = await exportRun({ store: store(), run: record, folder: at('graph') })
    expect(await readdir(folder)).toEqual([
      'README.md',
      'card.json',
      'head',
      'model.onnx',
      'samples',
    ])
    expect(card.files.model).toBeNull()
    expect(card.exportCheck.maxAbsDiff).toBeLessThan(1e-5)
    const byName = { store: store(), run: record, folder: at('by-name'), foldBatchNorm: true }
    await expect(exportRun(byName)).rejects.toMatchObject({
      code: 'EXPORT_IMPOSSIBLE',
      message: /no LayersModel/,
    })
    expect(card.limits.join()).toMatch(/Not exported: base and head as one TF.js model.*GraphModel/)
    expect(await readFile(join(folder, 'README.md'), 'utf8')).toMatch(
      /the base is no LayersModel \(GraphModel\)/,
    )
  })
})
