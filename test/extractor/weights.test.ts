import { beforeEach, describe, expect, it } from 'vitest'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { parseModelJson } from '../../src/extractor/base/model-json.js'
import { joinWeights } from '../../src/extractor/base/weights.js'
import { type EditableBase, tinyBaseInMemory, type WeightEntry } from '../support/base-files.js'

let tiny: EditableBase
beforeEach(async () => {
  tiny = await tinyBaseInMemory()
})

type Files = Readonly<Record<string, Uint8Array>>

const assemble = (model: unknown, files: Files): TfjsBase =>
  assembleTfjsBase(
    parseModelJson(Buffer.from(JSON.stringify(model))),
    new Map(Object.entries(files)),
  )
const idOf = ({ model, weights }: EditableBase): string =>
  assemble(model, { 'weights.bin': weights }).baseId

const refused = (run: () => unknown): void => {
  expect(run).toThrow(expect.objectContaining({ code: 'BASE_WEIGHTS_INVALID' }) as Error)
}

/** Weights of one group: what joining them gives. */
const join = (weights: readonly WeightEntry[], bytes: Uint8Array): Uint8Array => {
  const model = { modelTopology: {}, weightsManifest: [{ paths: ['w'], weights }] }
  return joinWeights(parseModelJson(Buffer.from(JSON.stringify(model))), new Map([['w', bytes]]))
}
const one = (entry: Partial<WeightEntry>, bytes: ArrayLike<number>): Uint8Array =>
  join([{ name: 'w', shape: [2], dtype: 'float32', ...entry }], Uint8Array.from(bytes))
const float32 = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer)
const quantized = (dtype: string, scale?: number, min?: number) => ({
  quantization: { dtype, ...(scale === undefined ? {} : { scale, min: min ?? 0 }) },
})

describe('weight bytes', () => {
  it('are joined in the order of the manifest, as they are', () => {
    expect(one({}, float32(1, -2))).toEqual(new Uint8Array(float32(1, -2)))
  })

  it('are refused when a file is missing, too short or too long', () => {
    const { model, weights } = tiny
    refused(() => assemble(model, {}))
    refused(() => assemble(model, { 'weights.bin': weights.subarray(1) }))
    refused(() => assemble(model, { 'weights.bin': weights.subarray(0, -4) }))
    refused(() => assemble(model, { 'weights.bin': Buffer.concat([weights, Buffer.alloc(4)]) }))
  })

  it('are refused when one group has too many and another too few, though the sum is right', () => {
    const [first] = tiny.model.weightsManifest as [EditableBase['model']['weightsManifest'][0]]
    const model = {
      ...tiny.model,
      weightsManifest: [
        { paths: ['a'], weights: first.weights.slice(0, 1) },
        { paths: ['b'], weights: first.weights.slice(1) },
      ],
    }
    const [a, b] = [tiny.weights.subarray(0, 432), tiny.weights.subarray(432)]
    expect(assemble(model, { a, b }).weights).toHaveLength(tiny.weights.length)
    refused(() => assemble(model, { a: tiny.weights.subarray(0, 436), b: b.subarray(4) }))
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'with %s are refused, and the weight is named',
    (bad) => {
      tiny.weights.writeFloatLE(bad, tiny.weights.length - 4)
      expect(() => idOf(tiny)).toThrow(/bn\/moving_variance.*not finite/)
    },
  )

  it('that are all NaN are refused', () => {
    refused(() => idOf({ ...tiny, weights: Buffer.alloc(tiny.weights.length, 0xff) }))
  })

  it('of float16 are refused with NaN or infinity, and taken with any other value', () => {
    const half = quantized('float16')
    for (const bad of [0x7c00, 0xfc00, 0x7e00, 0x7c01])
      refused(() => one(half, [0, 0, bad & 0xff, bad >> 8]))
    expect(one(half, [0xff, 0x7b, 0x01, 0x00])).toHaveLength(4)
  })

  it('of uint8 and uint16 are taken, whatever their bits', () => {
    expect(one(quantized('uint8', 0.01, -1), [255, 0])).toHaveLength(2)
    expect(one(quantized('uint16', 0.01, -1), [255, 255, 255, 127])).toHaveLength(4)
  })

  it('of uint8 are refused when their scale makes them infinite', () => {
    refused(() => one(quantized('uint8', 3e38), [1, 2]))
    refused(() => one(quantized('uint16', 1e34, 3.4e38), [1, 2, 3, 4]))
    refused(() => one(quantized('uint8', 1, -1e39), [1, 2]))
  })

  it('of int32 and bool have no value that is not finite', () => {
    expect(one({ dtype: 'int32' }, [255, 255, 255, 255, 0, 0, 192, 127])).toHaveLength(8)
    expect(one({ dtype: 'bool' }, [1, 0])).toHaveLength(2)
  })

  it('may start at any offset and may be empty', () => {
    const weights = [
      { name: 'flag', shape: [3], dtype: 'bool' },
      { name: 'none', shape: [0, 5], dtype: 'float32' },
      { name: 'scalar', shape: [], dtype: 'float32' },
    ]
    expect(join(weights, Uint8Array.from([1, 0, 1, ...float32(7)]))).toHaveLength(7)
    refused(() => join(weights, Uint8Array.from([1, 0, 1, ...float32(Number.NaN)])))
  })
})

describe('the id of a base', () => {
  it('is the same however its weights are cut into files', () => {
    const [first] = tiny.model.weightsManifest as [EditableBase['model']['weightsManifest'][0]]
    const cut = (paths: string[], ...at: number[]): string => {
      const model = { ...tiny.model, weightsManifest: [{ ...first, paths }] }
      const ends = [0, ...at, tiny.weights.length]
      const files = paths.map((path, i) => [path, tiny.weights.subarray(ends[i], ends[i + 1])])
      return assemble(model, Object.fromEntries(files) as Files).baseId
    }
    const groups = {
      ...tiny.model,
      weightsManifest: [
        { paths: ['a'], weights: first.weights.slice(0, 1) },
        { paths: ['b'], weights: first.weights.slice(1) },
      ],
    }
    const inGroups = assemble(groups, {
      a: tiny.weights.subarray(0, 432),
      b: tiny.weights.subarray(432),
    })
    const ids = [idOf(tiny), cut(['x']), cut(['x', 'y'], 3), cut(['p/q', 'r', 's'], 100, 101)]
    expect(new Set([...ids, inGroups.baseId]).size).toBe(1)
  })

  it('is the same in any order of the members of model.json, and whatever a converter adds', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed)
      if (typeof value !== 'object' || value === null) return value
      const members = Object.entries(value).map(([key, member]) => [key, reversed(member)])
      return Object.fromEntries(members.reverse())
    }
    const other = reversed(tiny.model) as EditableBase['model']
    expect(idOf({ ...tiny, model: other })).toBe(idOf(tiny))
    const added = { ...tiny.model, generatedBy: 'someone else', convertedBy: 'x' }
    expect(idOf({ ...tiny, model: added })).toBe(idOf(tiny))
  })

  it('changes with any bit of the weights', () => {
    const ids = new Set([idOf(tiny)])
    for (let bit = 0; bit < tiny.weights.length * 8; bit += 37) {
      const weights = Buffer.from(tiny.weights)
      weights[bit >> 3] = (weights[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      // A flipped exponent may make it infinite: refused, and so no id at all.
      if (new Float32Array(new Uint8Array(weights).buffer).every(Number.isFinite))
        expect(ids.has(idOf({ ...tiny, weights }))).toBe(false)
    }
  })

  it('changes with the topology, with the format and with a weight spec', () => {
    const [first] = tiny.model.weightsManifest as [EditableBase['model']['weightsManifest'][0]]
    const renamed = first.weights.map((entry, i) => (i === 0 ? { ...entry, name: 'x' } : entry))
    const models = [
      tiny.model,
      { ...tiny.model, modelTopology: { ...tiny.model.modelTopology, extra: 1 } },
      { ...tiny.model, format: 'graph-model' },
      { ...tiny.model, signature: { inputs: {} } },
      { ...tiny.model, weightsManifest: [{ ...first, weights: renamed }] },
    ]
    expect(new Set(models.map((model) => idOf({ ...tiny, model }))).size).toBe(models.length)
  })

  // Computed by Python. Bases in stores everywhere are filed under it.
  it('never changes', () => {
    const model = {
      format: 'layers-model',
      modelTopology: { class_name: 'X', n: 1.5 },
      weightsManifest: [{ paths: ['w'], weights: [{ name: 'a', shape: [2], dtype: 'float32' }] }],
    }
    expect(assemble(model, { w: float32(1, -2) }).baseId).toBe(
      '322b167e778802348a3da2b444878ca9e93a56062141afe47b6a0174f8404e2b',
    )
  })
})
