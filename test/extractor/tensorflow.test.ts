// The engine tensorflow on the real library: bits, agreement with wasm and Keras, SavedModel.
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findEmoji, prepareBase } from '../../examples/samples/prepare.mjs'
import { loadBase } from '../../src/extractor/base/load.js'
import { registerBase } from '../../src/extractor/base/register.js'
import { probeEngineInThread } from '../../src/extractor/engines/pool.js'
import { type Extractor, openExtractor } from '../../src/extractor/extractor.js'
import { FIXED_BATCH } from '../../src/extractor/fixed-batch.js'
import { preprocessSchema } from '../../src/extractor/preprocess.js'
import { resolveExtractorSpec } from '../../src/extractor/resolve.js'
import type { EngineName } from '../../src/extractor/spec.js'
import { createFileStore } from '../../src/store/file.js'
import { graphBaseInMemory, writeBase } from '../support/base-files.js'
import { bitsOf, bytesOfRow, featuresOf, IMAGES, rowsOfShape } from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import {
  readSavedModelFixture,
  readSavedModelRows,
  SAVED_MODEL,
  tensorflowProblem,
  tensorflowSettings,
} from '../support/tensorflow.js'
import { writeTinyBase } from '../support/tiny-base.js'

const FIXED = 16
const SAMPLES = 8
/** Below, at and above the fixed batch. */
const SIZES = [1, 2, 3, 7, 15, 16, 17]
/** Of |feature| or 1, whichever is larger. */
const TOLERANCE = 1e-4

interface Case {
  readonly write: (folder: string) => Promise<unknown>
  readonly cut: string
  readonly pooling?: 'avg' | 'max'
}

const graph = (folder: string) => writeBase(graphBaseInMemory(), folder)
const real = (name: string) => (folder: string) => prepareBase(name, folder)
/** The feature vector of the GraphModel: 1,280 values, its last node before the classifier. */
const SQUEEZE =
  'StatefulPartitionedCall/sequential/keras_layer/StatefulPartitionedCall/StatefulPartitionedCall/StatefulPartitionedCall/predict/feature_vector/SpatialSqueeze'
const CASES: Readonly<Record<string, Case>> = {
  'a tiny LayersModel': { write: writeTinyBase, cut: 'pool' },
  'a tiny LayersModel inside, pooled': { write: writeTinyBase, cut: 'bn', pooling: 'avg' },
  'a tiny GraphModel inside, pooled': { write: graph, cut: 'relu', pooling: 'max' },
  MobileNetV2: { write: real('mobilenet_v2'), cut: 'flatten_1' },
  'MobileNetV2 as a GraphModel': { write: real('mobilenet_v2_mid'), cut: SQUEEZE },
}

const opened: Extractor[] = []
afterAll(async () => {
  for (const extractor of opened) await extractor.close()
})

const settings = (allowSavedModels = false) => tensorflowSettings({ allowSavedModels })

const openOn = async (
  name: EngineName,
  from: string,
  request: Pick<Case, 'cut' | 'pooling'> & { readonly content?: typeof IMAGES },
): Promise<Extractor> => {
  const store = createFileStore(await makeFolder())
  const base = await registerBase(store, from, { settings: settings(true) })
  const spec = resolveExtractorSpec({
    base,
    cut: request.cut,
    pooling: request.pooling ?? 'none',
    preprocess: preprocessSchema.parse({}),
    content: request.content ?? IMAGES,
    view: { kind: 'plain' },
    engine: { name, fixedBatch: FIXED_BATCH[name], precision: 'fp32' },
  })
  const loaded = await loadBase(store, base.baseId)
  const extractor = openExtractor(spec, loaded, { threads: 1, settings: settings(true) })
  opened.push(extractor)
  return extractor
}

const largestDifference = (
  found: readonly Float32Array[],
  expected: readonly Float32Array[],
): number =>
  Math.max(
    ...found.flatMap((row, i) =>
      Array.from(row, (value, j) => {
        const reference = expected[i]?.[j] ?? Number.NaN
        return Math.abs(value - reference) / Math.max(1, Math.abs(reference))
      }),
    ),
  )

const bitsIn = async (
  extractor: Extractor,
  contents: readonly Uint8Array[],
  order: readonly number[],
): Promise<string[]> => {
  const batch = order.map((i) => contents[i] as Uint8Array)
  return (await featuresOf(extractor, batch)).map(bitsOf)
}

/** Batches of many sizes, each sample at many positions. */
const expectSameBits = async (
  extractor: Extractor,
  contents: readonly Uint8Array[],
): Promise<void> => {
  const all = contents.map((_, i) => i)
  const alone: string[] = []
  for (const i of all) alone.push(...(await bitsIn(extractor, contents, [i])))
  expect(new Set(alone).size).toBe(contents.length)
  for (const size of SIZES) {
    const order = Array.from({ length: size }, (_, i) => (i * 3 + size * 5) % contents.length)
    expect(await bitsIn(extractor, contents, order)).toEqual(order.map((i) => alone[i]))
  }
}

if (tensorflowProblem !== null)
  describe('the engine tensorflow', () => {
    it(`is not offered to this suite: ${tensorflowProblem}`, async () => {
      await expect(probeEngineInThread('tensorflow')).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
      })
    })
  })
else {
  describe.each(Object.keys(CASES))('tensorflow computes %s', (name) => {
    const { write, ...request } = CASES[name] as Case
    let folder: string
    let contents: Buffer[]
    let extractor: Extractor

    beforeAll(async () => {
      folder = join(await makeFolder(), 'base')
      await write(folder)
      const files = [...(await findEmoji(1)).values()].flat().slice(0, SAMPLES)
      contents = await Promise.all(files.map((file) => readFile(file)))
      extractor = await openOn('tensorflow', folder, request)
    })

    it('with the same bits for a sample at any position of any batch', async () => {
      expect(extractor.spec.fixedBatch).toBe(FIXED)
      await expectSameBits(extractor, contents)
      expect(extractor.info()).toMatchObject({
        engine: 'tensorflow',
        version: expect.stringMatching(/^tfjs 4\.22\.0, libtensorflow 2\.\d+/) as string,
      })
    })

    it('with as many tensors after a batch as before it', async () => {
      await featuresOf(extractor, contents.slice(0, 2))
      const tensors = extractor.tensorCount()
      for (const size of [1, 7, 3]) {
        await featuresOf(extractor, contents.slice(0, size))
        expect(extractor.tensorCount()).toBe(tensors)
      }
    })

    it('close to what wasm computes', async () => {
      const found = await featuresOf(extractor, contents)
      const expected = await featuresOf(await openOn('wasm', folder, request), contents)
      expect(largestDifference(found, expected)).toBeLessThan(TOLERANCE)
    })
  })

  describe('a SavedModel', () => {
    it.each(['grid', 'pooled'] as const)('gives at %s what Keras computes', async (cut) => {
      const fixture = await readSavedModelFixture()
      const content = rowsOfShape(fixture.input.slice(1))
      const extractor = await openOn('tensorflow', SAVED_MODEL, { cut, content })
      expect(extractor.spec.featureShape).toEqual(fixture[cut].slice(1))
      const rows = (await readSavedModelRows('input')).map(bytesOfRow)
      const found = await featuresOf(extractor, rows)
      expect(largestDifference(found, await readSavedModelRows(cut))).toBeLessThan(1e-5)
      await expectSameBits(extractor, rows)
    })

    it('is cut at its float outputs, and its variables are counted once', async () => {
      const store = createFileStore(await makeFolder())
      const fixture = await readSavedModelFixture()
      const base = await registerBase(store, SAVED_MODEL, { settings: settings(true) })
      expect(base).toMatchObject({
        format: 'saved-model',
        inputShape: fixture.input.slice(1),
        parameters: fixture.parameters,
      })
      expect(base.cuts).toEqual([
        { path: 'grid', className: 'serving_default', shape: fixture.grid.slice(1) },
        { path: 'pooled', className: 'serving_default', shape: fixture.pooled.slice(1) },
      ])
    })

    it('is refused where the operator has not allowed it, at registering and at opening', async () => {
      const store = createFileStore(await makeFolder())
      const refused = { code: 'BASE_NOT_ALLOWED', httpStatus: 403 }
      await expect(
        registerBase(store, SAVED_MODEL, { settings: settings(false) }),
      ).rejects.toMatchObject(refused)
      const content = rowsOfShape((await readSavedModelFixture()).input.slice(1))
      const { spec } = await openOn('tensorflow', SAVED_MODEL, { cut: 'pooled', content })
      const { baseId } = await registerBase(store, SAVED_MODEL, { settings: settings(true) })
      const loaded = await loadBase(store, baseId)
      const rows = openExtractor(spec, loaded, { settings: settings(false) })
      opened.push(rows)
      const [first] = await readSavedModelRows('input')
      const row = { key: '0'.repeat(64), content: bytesOfRow(first as Float32Array) }
      await expect(rows.rows([row])).rejects.toMatchObject(refused)
    })

    it('that is damaged is refused', async () => {
      const folder = await makeFolder()
      const store = createFileStore(await makeFolder())
      await cp(SAVED_MODEL, folder, { recursive: true })
      const data = join(folder, 'variables/variables.data-00000-of-00001')
      await writeFile(data, (await readFile(data)).subarray(0, 1000))
      await expect(registerBase(store, folder, { settings: settings(true) })).rejects.toMatchObject(
        { code: 'BASE_INVALID' },
      )
    })
  })
}
