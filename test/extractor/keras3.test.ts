import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { toKeras2Topology } from '../../src/extractor/base/keras3.js'
import { toKeras2Weights } from '../../src/extractor/base/keras3-weights.js'
import { widthOf } from '../../src/features/shard.js'
import {
  bytesOfRow,
  featuresOf,
  openFor,
  type RegisteredBase,
  registerInNewStore,
  rowsOfShape,
} from '../support/extractors.js'

// Made by test/fixtures/make-keras3.py: real Keras 3 topologies, an input, and what Keras computes.
const FIXTURES = 'test/fixtures/keras3'
const INPUT = [12, 12, 3]
/** Of the largest magnitude; Keras on oneDNN and TF.js on XNNPACK add in another order. */
const TOLERANCE = 1e-5

interface Expected {
  readonly samples: number
  readonly cuts: readonly { readonly path: string; readonly shape: readonly number[] }[]
}

const loadExpected = async (folder: string) => {
  const text = await readFile(join(folder, 'expected.json'), 'utf8')
  const { samples, cuts } = JSON.parse(text) as Expected
  const bytes = await readFile(join(folder, 'expected.bin'))
  const values = new Float32Array(new Uint8Array(bytes).buffer)
  let offset = 0
  const take = (shape: readonly number[]) => {
    const width = widthOf(shape)
    return Array.from({ length: samples }, () => {
      offset += width
      return values.subarray(offset - width, offset)
    })
  }
  const inputs = take(INPUT)
  return { inputs, cuts: cuts.map((cut) => ({ ...cut, rows: take(cut.shape) })) }
}

const largest = (values: Iterable<number>): number => Math.max(...[...values].map(Math.abs))

describe.each(['sequential', 'functional', 'nested'])('the %s model of Keras 3', (name) => {
  const folder = join(FIXTURES, name)
  let registered: RegisteredBase
  beforeAll(async () => {
    registered = await registerInNewStore(folder)
  })

  it('gives at every cut the features that Keras computes', async () => {
    const { inputs, cuts } = await loadExpected(folder)
    for (const { path, shape, rows } of cuts) {
      const extractor = await openFor(registered, { cut: path, content: rowsOfShape(INPUT) })
      expect(extractor.spec.featureShape).toEqual(shape)
      const found = await featuresOf(extractor, inputs.map(bytesOfRow))
      rows.forEach((row, i) => {
        const difference = largest(row.map((value, j) => value - (found[i]?.[j] ?? Number.NaN)))
        expect(difference / Math.max(1, largest(row))).toBeLessThan(TOLERANCE)
        expect(largest(row)).toBeGreaterThan(0)
      })
      await extractor.close()
    }
  })

  it('is stored and hashed as it was registered: the translation is no part of its id', async () => {
    const { store, base } = registered
    const stored = base.files.find(({ path }) => path === 'model.json')
    const bytes = await store.get(`bases/${base.baseId}/${stored?.sha256}`)
    expect(Buffer.from(bytes ?? []).equals(await readFile(join(folder, 'model.json')))).toBe(true)
  })
})

describe('the translation of Keras 3', () => {
  const model = (className: string, config: object) => ({
    class_name: 'Sequential',
    config: {
      layers: [
        { class_name: 'InputLayer', config: { batch_shape: [null, 4] } },
        { class_name: className, config },
      ],
    },
  })

  it('leaves a Keras 2 topology as it is', () => {
    const topology = {
      class_name: 'Sequential',
      config: {
        layers: [
          { class_name: 'InputLayer', config: { batch_input_shape: [null, 4] } },
          { class_name: 'Activation', config: { activation: 'hard_sigmoid' } },
        ],
      },
    }
    expect(toKeras2Topology(topology)).toBe(topology)
  })

  // The hard sigmoid of Keras 3 is relu6(x + 3) / 6, that of TF.js clip(0.2 x + 0.5, 0, 1).
  it.each<[string, string, object]>([
    ['hard_sigmoid in a layer', 'Dense', { units: 2, activation: 'hard_sigmoid' }],
    ['hard_silu in a layer', 'Conv2D', { filters: 2, kernel_size: 1, activation: 'hard_silu' }],
    ['hard_silu in a Sequential', 'Activation', { activation: 'hard_silu' }],
    ['a ReLU with both', 'ReLU', { negative_slope: 0.1, threshold: 1, max_value: null }],
    ['a slope with a maximum', 'ReLU', { negative_slope: 0.1, threshold: 0, max_value: 6 }],
    ['a dilation', 'DepthwiseConv2D', { kernel_size: 3, dilation_rate: [2, 2] }],
    ['a dilated transposition', 'Conv2DTranspose', { kernel_size: 3, dilation_rate: [2, 2] }],
    ['half a pixel', 'UpSampling2D', { size: [2, 2], interpolation: 'bilinear' }],
    ['rms scaling', 'LayerNormalization', { axis: -1, rms_scaling: true }],
    ['an inverse', 'Normalization', { axis: [-1], invert: true, mean: [1], variance: [1] }],
    ['unwritten channels', 'GlobalAveragePooling2D', { keepdims: true }],
  ])('refuses what TF.js would compute otherwise: %s', (_, className, config) => {
    expect(() => toKeras2Topology(model(className, config))).toThrow(
      expect.objectContaining({ code: 'BASE_LAYER_UNKNOWN' }) as Error,
    )
  })

  it('refuses an operation that it does not know', () => {
    const operation = {
      module: 'keras.src.ops.numpy',
      class_name: 'Sort',
      config: { name: 'sort' },
      inbound_nodes: [],
    }
    const layers = [{ class_name: 'InputLayer', config: { batch_shape: [null, 4] } }, operation]
    expect(() => toKeras2Topology({ class_name: 'Functional', config: { layers } })).toThrow(
      /operation Sort of Keras 3/,
    )
  })

  it('adds layers under names that no layer has, and keeps the name for the last', () => {
    const names = (topology: unknown) =>
      (topology as { config: { layers: { config: { name?: string } }[] } }).config.layers.map(
        ({ config }) => config.name,
      )
    const translated = toKeras2Topology({
      class_name: 'Sequential',
      config: {
        layers: [
          { class_name: 'InputLayer', config: { batch_shape: [null, 4], name: 'a_line' } },
          { class_name: 'Activation', config: { activation: 'hard_sigmoid', name: 'a' } },
        ],
      },
    })
    expect(names(translated)).toEqual(['a_line', 'a_line_1', 'a'])
  })
})

describe('the weights of a Normalization', () => {
  const topology = {
    class_name: 'Sequential',
    config: {
      layers: [
        { class_name: 'InputLayer', config: { batch_shape: [null, 2] } },
        { class_name: 'Normalization', config: { name: 'norm', axis: [-1], mean: null } },
      ],
    },
  }
  const specs = [
    { name: 'norm/mean', shape: [2], dtype: 'float32' as const },
    { name: 'norm/variance', shape: [2], dtype: 'float32' as const },
    { name: 'norm/count', shape: [], dtype: 'int32' as const },
    { name: 'dense/count', shape: [1], dtype: 'float32' as const },
  ]
  const bytesFor = (variance: number) =>
    new Uint8Array(Float32Array.of(1, 2, 3, variance, 0, 5).buffer)

  it('become those of a BatchNormalization; others stay', () => {
    const { specs: found, bytes } = toKeras2Weights(topology, { specs, bytes: bytesFor(4) })
    expect(found.map(({ name }) => name)).toEqual([
      'norm/moving_mean',
      'norm/moving_variance',
      'dense/count',
    ])
    expect([...new Float32Array(new Uint8Array(bytes).buffer)]).toEqual([1, 2, 3, 4, 5])
  })

  it('are refused with a variance of zero, where Keras would divide by something else', () => {
    expect(() => toKeras2Weights(topology, { specs, bytes: bytesFor(0) })).toThrow(
      expect.objectContaining({ code: 'BASE_WEIGHTS_INVALID' }) as Error,
    )
  })
})
