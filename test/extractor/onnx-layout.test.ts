// The order of axes of ONNX bases where an extractor is resolved.
import { describe, expect, it } from 'vitest'
import type { BaseRecord } from '../../src/extractor/base/load.js'
import { channelAxis, imageLayout, imageSize, spatialAxes } from '../../src/extractor/layout.js'
import { preprocessSchema } from '../../src/extractor/preprocess.js'
import { type ExtractorRequest, resolveExtractorSpec } from '../../src/extractor/resolve.js'
import { sha256 } from '../../src/identity/hash.js'

const base = (inputShape: (number | null)[], change: Partial<BaseRecord> = {}): BaseRecord => ({
  version: 1,
  baseId: sha256('an ONNX base'),
  format: 'onnx',
  parameters: 1,
  inputShape,
  cuts: [
    { path: 'maps', className: 'Conv', shape: [20, 5, 7] },
    { path: 'any', className: 'Conv', shape: [20, null, null] },
    { path: 'tokens', className: 'Add', shape: [6, 11] },
    { path: 'features', className: 'Gemm', shape: [13] },
  ],
  files: [],
  ...change,
})
const resolve = (given: BaseRecord, cut: string, change: Partial<ExtractorRequest> = {}) =>
  resolveExtractorSpec({
    base: given,
    cut,
    pooling: 'avg',
    preprocess: preprocessSchema.parse({}),
    content: { kind: 'image' },
    view: { kind: 'plain' },
    engine: { name: 'onnxruntime', fixedBatch: null, precision: 'fp32' },
    ...change,
  })
const sized = (size: [number, number]) => ({ preprocess: preprocessSchema.parse({ size }) })

describe('a base with channels first', () => {
  it('takes images of its size', () => {
    expect(resolve(base([3, 32, 48]), 'maps').input).toMatchObject({
      kind: 'image',
      size: [32, 48],
    })
  })

  it('of any size takes images of the size that is asked for', () => {
    expect(() => resolve(base([3, null, null]), 'maps')).toThrow('preprocess.size')
    expect(resolve(base([3, null, null]), 'any', sized([64, 96])).input).toMatchObject({
      size: [64, 96],
    })
    expect(() => resolve(base([3, 32, null]), 'maps', sized([64, 96]))).toThrow('[64, 96]')
    expect(resolve(base([3, 32, null]), 'maps', sized([32, 96])).input).toMatchObject({
      size: [32, 96],
    })
  })

  it('has features of its channels where they are pooled, of the last axis where these are tokens', () => {
    const shapeOf = (cut: string) => resolve(base([3, 32, 48]), cut).featureShape
    expect(shapeOf('maps')).toEqual([20])
    expect(shapeOf('any')).toEqual([20])
    expect(shapeOf('tokens')).toEqual([11])
    expect(shapeOf('features')).toEqual([13])
    expect(resolve(base([3, 32, 48]), 'maps', { pooling: 'none' }).featureShape).toEqual([20, 5, 7])
  })

  it('is no base for images in another format', () => {
    for (const format of ['layers-model', 'graph-model', 'saved-model'] as const)
      expect(() => resolve(base([3, 32, 48], { format }), 'maps')).toThrow('[height, width, 3]')
  })

  it('takes rows as they are', () => {
    const content = { kind: 'tensor', dtype: 'float32', shape: [3, 32, 48] } as const
    expect(resolve(base([3, 32, 48]), 'maps', { content }).input).toMatchObject({
      shape: [3, 32, 48],
    })
  })
})

describe('a base with channels last', () => {
  it('has its channels last behind the cut, too', () => {
    expect(resolve(base([32, 48, 3]), 'maps')).toMatchObject({
      input: { size: [32, 48] },
      featureShape: [7],
    })
  })
})

describe('the order of axes', () => {
  it.each([
    [[3, 224, 224], 'channels-first'],
    [[224, 224, 3], 'channels-last'],
    [[3, null, null], 'channels-first'],
    [[null, null, 3], 'channels-last'],
    [[3, 3, 3], 'channels-last'],
    [[1, 28, 28], null],
    [[null, null, null], null],
    [[3], null],
    [[3, 8, 224, 224], null],
  ] as const)('of an input %j is %s', (shape, layout) => {
    expect(imageLayout(shape)).toBe(layout)
  })

  it('says where the size is, and what pooling removes and keeps', () => {
    expect(imageSize([3, 5, null], 'channels-first')).toEqual([5, null])
    expect(imageSize([5, null, 3], 'channels-last')).toEqual([5, null])
    expect([1, 2, 3, 4, 5].map((rank) => spatialAxes(rank, false))).toEqual([
      [],
      [],
      [1],
      [1, 2],
      [1, 2, 3],
    ])
    expect([2, 3, 4].map((rank) => spatialAxes(rank, true))).toEqual([[], [1], [2, 3]])
    expect([1, 2, 3].map((rank) => channelAxis(rank, true))).toEqual([0, 1, 0])
    expect([1, 2, 3].map((rank) => channelAxis(rank, false))).toEqual([0, 1, 2])
  })
})
