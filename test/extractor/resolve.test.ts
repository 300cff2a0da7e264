import { describe, expect, it } from 'vitest'
import type { BaseRecord } from '../../src/extractor/base/load.js'
import { preprocessSchema } from '../../src/extractor/preprocess.js'
import { type ExtractorRequest, resolveExtractorSpec } from '../../src/extractor/resolve.js'
import { extractorIdOfSpec, extractorSpecSchema } from '../../src/extractor/spec.js'
import { canonicalJson } from '../../src/identity/canonical-json.js'
import { sha256 } from '../../src/identity/hash.js'

const cutPoint = (path: string, shape: (number | null)[]) => ({ path, className: 'Conv2D', shape })

const imageBase: BaseRecord = {
  version: 1,
  baseId: sha256('a base'),
  format: 'layers-model',
  parameters: 1,
  inputShape: [96, 64, 3],
  cuts: [
    cutPoint('Conv1', [48, 32, 8]),
    cutPoint('block_1_expand', [24, 16, 16]),
    cutPoint('block_16_project', [3, 2, 320]),
    cutPoint('global_pool', [320]),
    cutPoint('nested/relu', [3, 2, 5]),
  ],
  files: [],
}
/** A base that takes any image size. */
const anySize: BaseRecord = {
  ...imageBase,
  inputShape: [null, null, 3],
  cuts: [cutPoint('relu', [null, null, 320]), cutPoint('odd', [null, null])],
}
const rowBase: BaseRecord = { ...imageBase, inputShape: [6], cuts: [cutPoint('dense', [10])] }

const request = (change: Partial<ExtractorRequest> = {}): ExtractorRequest => ({
  base: imageBase,
  cut: 'block_16_project',
  pooling: 'avg',
  preprocess: preprocessSchema.parse({}),
  content: { kind: 'image' },
  view: { kind: 'plain' },
  engine: { name: 'wasm', fixedBatch: null, precision: 'fp32' },
  ...change,
})
const rows = (...shape: number[]): Partial<ExtractorRequest> => ({
  base: rowBase,
  cut: 'dense',
  content: { kind: 'tensor', dtype: 'float32', shape },
})

const idOf = (change: Partial<ExtractorRequest> = {}): string =>
  extractorIdOfSpec(resolveExtractorSpec(request(change)))
const failure = (change: Partial<ExtractorRequest>): unknown => {
  try {
    return resolveExtractorSpec(request(change))
  } catch (error) {
    return error
  }
}
const sized = (size: [number, number]) => ({ preprocess: preprocessSchema.parse({ size }) })

describe('an extractor spec', () => {
  it('is complete: it says everything, and nothing is undefined', () => {
    const spec = resolveExtractorSpec(request())
    expect(extractorSpecSchema.parse(spec)).toEqual(spec)
    expect(JSON.parse(canonicalJson(spec))).toEqual(spec)
    expect(spec).toEqual({
      version: 1,
      base: { id: sha256('a base'), format: 'layers-model' },
      cut: 'block_16_project',
      pooling: 'avg',
      input: {
        kind: 'image',
        size: [96, 64],
        fit: 'fill',
        kernel: 'linear',
        background: [255, 255, 255],
        channels: 'rgb',
        scale: [1 / 255, 1 / 255, 1 / 255],
        offset: [0, 0, 0],
      },
      view: { kind: 'plain' },
      engine: 'wasm',
      precision: 'fp32',
      fixedBatch: null,
      featureShape: [320],
    })
  })

  // Computed by Python. Caches all over the world are filed under these.
  it('has an id that never changes', () => {
    expect(idOf()).toBe('70bcd99995b712537533f48daa2434907b5010d21582a15cfef8976c4ffa2afa')
    expect(idOf(rows(6))).toBe('c273b30d7f4bc46cebdfa807e10476e53adf4504c7883272d75a18b7a9f97950')
  })

  it('refuses to be read with a member missing or unknown', () => {
    const spec = resolveExtractorSpec(request())
    for (const name of Object.keys(spec))
      expect(extractorSpecSchema.safeParse({ ...spec, [name]: undefined }).success).toBe(false)
    expect(extractorSpecSchema.safeParse({ ...spec, labels: [] }).success).toBe(false)
    expect(extractorSpecSchema.safeParse({ ...spec, engine: 'auto' }).success).toBe(false)
  })

  it.each<[string, Partial<ExtractorRequest>]>([
    ['another base', { base: { ...imageBase, baseId: sha256('another') } }],
    ['another cut', { cut: 'block_1_expand' }],
    ['another pooling', { pooling: 'max' }],
    ['no pooling', { pooling: 'none' }],
    ['another kernel', { preprocess: preprocessSchema.parse({ kernel: 'cubic' }) }],
    ['another fit', { preprocess: preprocessSchema.parse({ fit: 'cover' }) }],
    ['another background', { preprocess: preprocessSchema.parse({ background: [0, 0, 0] }) }],
    ['another range', { preprocess: preprocessSchema.parse({ range: 'torch' }) }],
    ['another channel order', { preprocess: preprocessSchema.parse({ channels: 'bgr' }) }],
    ['another engine', { engine: { name: 'tensorflow', fixedBatch: 32, precision: 'fp32' } }],
    ['another fixed batch', { engine: { name: 'wasm', fixedBatch: 8, precision: 'fp32' } }],
  ])('has another id for %s', (_, change) => {
    expect(idOf(change)).not.toBe(idOf())
  })

  it('has the same id for what says the same in other words', () => {
    const third = 1 / 255
    const words = [{ range: '0..1' }, { scale: [third, third, third] }, { size: [96, 64] }]
    for (const preprocess of words)
      expect(idOf({ preprocess: preprocessSchema.parse(preprocess) })).toBe(idOf())
  })

  it('knows no pooling where it has no effect: no second id for the same features', () => {
    const ids = (['none', 'avg', 'max'] as const).map((pooling) =>
      idOf({ cut: 'global_pool', pooling }),
    )
    expect(new Set(ids).size).toBe(1)
    expect(resolveExtractorSpec(request({ cut: 'global_pool' })).pooling).toBe('none')
  })
})

describe('a cut', () => {
  it('that does not exist is refused, and the near ones are named', () => {
    expect(failure({ cut: 'block_16_projct' })).toMatchObject({
      code: 'CUT_NOT_FOUND',
      message: expect.stringContaining('did you mean "block_16_project"') as string,
      details: expect.arrayContaining([
        'near: block_16_project',
        'near: block_1_expand',
      ]) as string[],
    })
  })

  it('is found by its exact name only', () => {
    for (const cut of ['', 'conv1', 'relu', 'nested', 'nested/relu/', '__proto__'])
      expect(failure({ cut })).toMatchObject({ code: 'CUT_NOT_FOUND' })
    expect(resolveExtractorSpec(request({ cut: 'nested/relu' })).featureShape).toEqual([5])
  })

  it('keeps its whole shape without pooling', () => {
    const { featureShape } = resolveExtractorSpec(request({ pooling: 'none' }))
    expect(featureShape).toEqual([3, 2, 320])
  })

  it('of unknown size is usable with pooling only', () => {
    const open = { base: anySize, cut: 'relu', ...sized([32, 32]) }
    expect(resolveExtractorSpec(request(open)).featureShape).toEqual([320])
    expect(failure({ ...open, pooling: 'none' })).toMatchObject({ code: 'CUT_UNUSABLE' })
    expect(failure({ ...open, cut: 'odd' })).toMatchObject({ code: 'CUT_UNUSABLE' })
  })
})

describe('samples that do not fit the base are refused', () => {
  it.each<[string, Partial<ExtractorRequest>, string]>([
    ['a size that is not that of the base', sized([64, 96]), '[64, 96]'],
    ['images of no size for a base of any size', { base: anySize, cut: 'relu' }, 'preprocess.size'],
    ['images for a base of rows', { base: rowBase, cut: 'dense' }, 'takes [6]'],
    [
      'images for a base of gray images',
      { base: { ...imageBase, inputShape: [96, 64, 1] } },
      'takes [96, 64, 1]',
    ],
    ['rows of another width', rows(7), '[7], the base takes [6]'],
    ['rows of another rank', rows(2, 3), '[2, 3], the base takes [6]'],
    [
      'rows for a base of images',
      { content: { kind: 'tensor', dtype: 'float32', shape: [6] } },
      '[6]',
    ],
  ])('%s', (_, change, said) => {
    expect(failure(change)).toMatchObject({
      code: 'EXTRACTOR_INPUT_MISMATCH',
      message: expect.stringContaining(said) as string,
    })
  })

  it('but any size fits a base that takes any', () => {
    const { input } = resolveExtractorSpec(
      request({ base: anySize, cut: 'relu', ...sized([32, 48]) }),
    )
    expect(input).toMatchObject({ size: [32, 48] })
  })

  it('and rows fit a base of unknown width', () => {
    const base = { ...rowBase, inputShape: [null] }
    expect(resolveExtractorSpec(request({ ...rows(7), base })).input).toMatchObject({ shape: [7] })
  })
})
