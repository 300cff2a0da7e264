// Quantised weights: the compiled graph has the values that TF.js has.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { compileGraphModel } from '../../src/extractor/compile/graph-model.js'
import {
  graphBase,
  noise,
  runOnnx,
  runTfjs,
  useBackend,
  type WeightJson,
} from '../support/graph-models.js'

const COUNT = 24

/** One sample of zeros plus the weight: its values as the engine has them. */
const baseOf = (weight: WeightJson) =>
  graphBase({
    input: [-1, COUNT],
    weights: { weight },
    nodes: [{ name: 'y', op: 'AddV2', input: ['x', 'weight'] }],
  })

const expectSameBits = async (weight: WeightJson): Promise<Float32Array> => {
  const base = baseOf(weight)
  const zeros = new Float32Array(COUNT)
  const [reference] = await runTfjs(base, ['y'], zeros, [1, COUNT])
  const answer = await runOnnx(await compileGraphModel(base), 'y', zeros, [1, COUNT])
  const bits = (values: Float32Array) => Buffer.from(values.buffer, 0, values.byteLength)
  expect(bits(answer.values)).toEqual(bits(reference?.values ?? new Float32Array()))
  return answer.values
}

describe('a weight', () => {
  beforeAll(() => useBackend('cpu'))

  it.each([
    ['uint8', 0xff],
    ['uint16', 0xffff],
  ] as const)('of %s is scaled as TF.js scales it, bit by bit', async (dtype, largest) => {
    const stored = fc.array(fc.integer({ min: 0, max: largest }), {
      minLength: COUNT,
      maxLength: COUNT,
    })
    const number = fc.double({ min: -10, max: 10, noNaN: true })
    await fc.assert(
      fc.asyncProperty(stored, number, number, async (values, scale, min) => {
        await expectSameBits({ shape: [COUNT], values, quantization: { dtype, scale, min } })
      }),
      { numRuns: 20 },
    )
  })

  it('of float16 has the values of IEEE half precision, the smallest ones included', async () => {
    const finite = fc
      .integer({ min: 0, max: 0xffff })
      .filter((half) => (half & 0x7c00) !== 0x7c00 && half !== 0x8000)
    const stored = fc.array(finite, { minLength: COUNT, maxLength: COUNT })
    await fc.assert(
      fc.asyncProperty(stored, async (values) => {
        await expectSameBits({ shape: [COUNT], values, quantization: { dtype: 'float16' } })
      }),
      { numRuns: 20 },
    )
    const known = [0x3c00, 0xc000, 0x0001, 0x0400, 0x7bff, 0x3555]
    const values = await expectSameBits({
      shape: [COUNT],
      values: Array.from({ length: COUNT }, (_, i) => known[i % known.length] ?? 0),
      quantization: { dtype: 'float16' },
    })
    expect([...values.subarray(0, 5)]).toEqual([1, -2, 2 ** -24, 2 ** -14, 65504])
  })

  it('of whole numbers may be quantised, too', async () => {
    const base = graphBase({
      input: [-1, 2, 3],
      weights: {
        shape: {
          shape: [2],
          dtype: 'int32',
          values: [0, 7],
          quantization: { dtype: 'uint8', scale: 1, min: -1 },
        },
      },
      nodes: [{ name: 'y', op: 'Reshape', input: ['x', 'shape'] }],
    })
    const x = noise(12)
    const [reference] = await runTfjs(base, ['y'], x, [2, 2, 3])
    expect(reference?.shape).toEqual([2, 6])
    const answer = await runOnnx(await compileGraphModel(base), 'y', x, [2, 2, 3])
    expect(answer).toEqual({ values: x, shape: [2, 6] })
  })

  it('without scale or minimum is refused', async () => {
    const weight: WeightJson = { shape: [COUNT], quantization: { dtype: 'uint8' } }
    await expect(compileGraphModel(baseOf(weight))).rejects.toMatchObject({ code: 'BASE_INVALID' })
  })
})
