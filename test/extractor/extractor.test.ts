import { beforeAll, describe, expect, it } from 'vitest'
import { loadBase } from '../../src/extractor/base/load.js'
import type { LoadedBase } from '../../src/extractor/base/loaded-base.js'
import { type Extractor, openExtractor, type Row } from '../../src/extractor/extractor.js'
import type { ExtractorSpec } from '../../src/extractor/spec.js'
import { sha256 } from '../../src/identity/hash.js'
import { graphBaseInMemory, writeBase } from '../support/base-files.js'
import { DENSE_FEATURES, DENSE_INPUT, denseRows, writeDenseBase } from '../support/dense-base.js'
import {
  bitsOf,
  bytesOfRow,
  featuresOf,
  openFor,
  type RegisteredBase,
  registerInNewStore,
  rowsOfShape,
} from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import { seededRandom } from '../support/images.js'
import { TINY_FILTERS, writeTinyBase } from '../support/tiny-base.js'
import { tinyPng } from '../support/tiny-images.js'

let tiny: RegisteredBase
let graph: RegisteredBase
let dense: RegisteredBase
beforeAll(async () => {
  tiny = await registerInNewStore(await writeTinyBase(await makeFolder()))
  graph = await registerInNewStore(await writeBase(graphBaseInMemory()))
  const folder = await makeFolder()
  await writeDenseBase(folder)
  dense = await registerInNewStore(folder)
})

const IMAGES = Array.from({ length: 5 }, (_, i) => tinyPng(i % 3, i))
const rowsOf = (extractor: Extractor, contents: readonly Uint8Array[]): Promise<Row[]> =>
  extractor.rows(contents.map((content) => ({ key: sha256(content), content })))
const reasonsOf = (rows: readonly Row[]): (string | null)[] =>
  rows.map((row) => (row.ok ? null : row.reason))

/** The extractor of a spec that no resolver would make. */
const openChanged = async (
  registered: RegisteredBase,
  cut: string,
  change: Partial<ExtractorSpec>,
): Promise<Extractor> => {
  const { spec } = await openFor(registered, { cut })
  const base: LoadedBase = await loadBase(registered.store, registered.base.baseId)
  return openExtractor({ ...spec, ...change }, base, { threads: 1 })
}

/** Rows of [positions, channels] pooled by plain arithmetic in double precision. */
const pooled = (features: Float32Array, channels: number, how: 'avg' | 'max'): number[] =>
  Array.from({ length: channels }, (_, channel) => {
    const values = [...features].filter((_, i) => i % channels === channel)
    return how === 'max' ? Math.max(...values) : values.reduce((a, b) => a + b) / values.length
  })

describe('pooling behind a cut', () => {
  it.each([
    ['LayersModel', () => tiny, 'bn', TINY_FILTERS],
    ['GraphModel', () => graph, 'relu', 5],
  ] as const)(
    'of a %s is the mean or the maximum of each channel',
    async (_, base, cut, channels) => {
      const plain = await featuresOf(await openFor(base(), { cut }), IMAGES)
      for (const pooling of ['avg', 'max'] as const) {
        const extractor = await openFor(base(), { cut, pooling })
        expect(extractor.spec.featureShape).toEqual([channels])
        const found = await featuresOf(extractor, IMAGES)
        found.forEach((features, i) => {
          const expected = pooled(plain[i] ?? new Float32Array(0), channels, pooling)
          expected.forEach((value, channel) => {
            expect(features[channel]).toBeCloseTo(value, 5)
          })
        })
      }
    },
  )

  it('by avg gives the features of the global average pooling of the base itself', async () => {
    const own = await featuresOf(await openFor(tiny, { cut: 'pool' }), IMAGES)
    const ours = await featuresOf(await openFor(tiny, { cut: 'bn', pooling: 'avg' }), IMAGES)
    expect(ours.map(bitsOf)).toEqual(own.map(bitsOf))
  })
})

describe('rows of numbers', () => {
  const asContents = (rows: Float32Array): Uint8Array[] =>
    Array.from({ length: rows.length / DENSE_INPUT }, (_, i) =>
      bytesOfRow(rows.subarray(i * DENSE_INPUT, (i + 1) * DENSE_INPUT)),
    )
  const open = () => openFor(dense, { cut: 'features', content: rowsOfShape([DENSE_INPUT]) })

  it('have features of the same bits in any batch, from any offset in memory', async () => {
    const extractor = await open()
    const contents = asContents(denseRows(16))
    const alone: string[] = []
    for (const content of contents)
      alone.push(...(await featuresOf(extractor, [content])).map(bitsOf))
    const moved = contents.map((content, i) => {
      const larger = new Uint8Array(content.length + i)
      larger.set(content, i)
      return larger.subarray(i)
    })
    for (let size = 1; size <= 16; size += 1)
      expect((await featuresOf(extractor, moved.slice(0, size))).map(bitsOf)).toEqual(
        alone.slice(0, size),
      )
    expect(alone[0]).toHaveLength(DENSE_FEATURES * 8)
  })

  it('with NaN or infinity, or of another width, have a reason, and their neighbours features', async () => {
    const [good = new Uint8Array(0), ...others] = asContents(denseRows(3))
    const bad = (value: number): Uint8Array => bytesOfRow(denseRows(1).fill(value, 2, 3))
    const contents = [
      good,
      bad(Number.NaN),
      bad(Number.POSITIVE_INFINITY),
      good.subarray(4),
      ...others,
    ]
    const rows = await rowsOf(await open(), [...contents, new Uint8Array(0)])
    expect(reasonsOf(rows)).toEqual([
      null,
      'the row has values that are not finite',
      'the row has values that are not finite',
      'the row has 5 values, the base takes [6]',
      null,
      null,
      'the row has 0 values, the base takes [6]',
    ])
  })

  it('whose features are beyond float32 have a reason', async () => {
    // Of the signs of the weights of one unit, so that their products add up.
    const signs = Array.from({ length: DENSE_INPUT }, (_, i) =>
      Math.sign(Math.sin(1 + i * DENSE_FEATURES * 1.7)),
    )
    const huge = bytesOfRow(Float32Array.from(signs, (sign) => sign * 3e38))
    const rows = await rowsOf(await open(), [huge, ...asContents(denseRows(1))])
    expect(reasonsOf(rows)).toEqual(['its features are not finite', null])
  })
})

describe('an extractor', () => {
  it('asked for no samples, or for damaged ones only, answers without an engine', async () => {
    const extractor = await openFor(tiny, { cut: 'pool' })
    expect(await extractor.rows([])).toEqual([])
    expect(reasonsOf(await rowsOf(extractor, [Buffer.alloc(0)]))).toEqual(['the file is empty'])
    expect(extractor.info()).toBeNull()
    await featuresOf(extractor, IMAGES)
    expect(extractor.info()).toMatchObject({
      engine: 'wasm',
      version: expect.stringMatching(/^tfjs [\d.]+, sharp [\d.]+, libvips [\d.]+$/) as string,
    })
  })

  it('gives the same bits where its engine fixes the batch and pads it', async () => {
    const free = await featuresOf(await openFor(tiny, { cut: 'pool' }), IMAGES)
    const engine = { name: 'wasm', fixedBatch: 4, precision: 'fp32' } as const
    const fixed = await openFor(tiny, { cut: 'pool', engine })
    expect(fixed.batchSize).toBe(4)
    for (const count of [1, 3, 4, 5])
      expect((await featuresOf(fixed, IMAGES.slice(0, count))).map(bitsOf)).toEqual(
        free.slice(0, count).map(bitsOf),
      )
  })

  it('does not change or take the content that it is given', async () => {
    const extractor = await openFor(dense, { cut: 'features', content: rowsOfShape([DENSE_INPUT]) })
    const content = bytesOfRow(denseRows(1))
    await featuresOf(extractor, [content])
    expect(content).toEqual(bytesOfRow(denseRows(1)))
  })

  it('is refused with the base of another', async () => {
    const { spec } = await openFor(tiny, { cut: 'pool' })
    const base = await loadBase(dense.store, dense.base.baseId)
    expect(() => openExtractor(spec, base)).toThrow(
      expect.objectContaining({ code: 'FEATURES_MISMATCH' }) as Error,
    )
  })

  it.each([
    ['a LayersModel', () => tiny, 'pool'],
    ['a GraphModel', () => graph, 'mean'],
  ] as const)(
    'of %s with a cut that the base does not have is CUT_NOT_FOUND',
    async (_, base, cut) => {
      const extractor = await openChanged(base(), cut, { cut: 'none' })
      await expect(rowsOf(extractor, IMAGES)).rejects.toMatchObject({ code: 'CUT_NOT_FOUND' })
      await extractor.close()
    },
  )

  it('whose cut gives another shape than its spec says is CUT_UNUSABLE', async () => {
    const extractor = await openChanged(tiny, 'pool', { featureShape: [TINY_FILTERS + 1] })
    await expect(rowsOf(extractor, IMAGES)).rejects.toMatchObject({ code: 'CUT_UNUSABLE' })
    await extractor.close()
  })

  it('that was closed answers with an error', async () => {
    const extractor = await openFor(tiny, { cut: 'pool' })
    await extractor.close()
    await extractor.close()
    await expect(rowsOf(extractor, IMAGES)).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
  })
})

describe('tensors', () => {
  it.each([
    ['LayersModel', () => tiny, { cut: 'bn', pooling: 'avg' }],
    ['GraphModel', () => graph, { cut: 'relu', pooling: 'max' }],
  ] as const)(
    'of a %s are as many after 1,000 batches as after the first',
    async (_, base, request) => {
      const extractor = await openFor(base(), request)
      await featuresOf(extractor, IMAGES)
      const first = extractor.tensorCount()
      expect(first).toBeGreaterThan(0)
      const random = seededRandom(1)
      for (let batch = 0; batch < 1000; batch += 1) {
        await featuresOf(extractor, IMAGES.slice(0, 1 + Math.floor(random() * IMAGES.length)))
        if (batch % 100 === 0) expect(extractor.tensorCount()).toBe(first)
      }
      expect(extractor.tensorCount()).toBe(first)
    },
  )
})
