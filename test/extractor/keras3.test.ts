import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { toKeras2Topology } from '../../src/extractor/base/keras3.js'
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
    ['hard_sigmoid', 'Activation', { activation: 'hard_sigmoid' }],
    ['hard_sigmoid in a layer', 'Dense', { units: 2, activation: 'hard_sigmoid' }],
    ['a ReLU with a slope', 'ReLU', { negative_slope: 0.1, threshold: 0, max_value: null }],
    ['a ReLU with a threshold', 'ReLU', { negative_slope: 0, threshold: 1, max_value: null }],
  ])('refuses what TF.js would compute otherwise: %s', (_, className, config) => {
    expect(() => toKeras2Topology(model(className, config))).toThrow(
      expect.objectContaining({ code: 'BASE_LAYER_UNKNOWN' }) as Error,
    )
  })
})
