import * as ort from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { PREPARED_INPUT, PREPARED_OUTPUT } from '../../src/extractor/onnx/border.js'
import { toHalves } from '../../src/extractor/onnx/float16.js'
import { serialiseOnnxModel } from '../../src/extractor/onnx/model.js'
import { TensorProto_DataType as DataType } from '../../src/extractor/onnx/onnx_pb.js'
import { prepareGraph } from '../../src/extractor/onnx/prepare.js'
import {
  expectedOf,
  IMAGE_INPUT,
  maxDifference,
  onnxBase,
  PIXELS,
  SAMPLES,
  SIDE,
} from '../support/onnx-models.js'

/** What 16 bits mean, by the definition of the format. */
const meaningOf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023]
  return (
    sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15))
  )
}
const FINITE = Array.from({ length: 0x7c00 }, (_, bits) => bits)

describe('rounding to float16', () => {
  it('keeps every float16', () => {
    for (const sign of [0, 0x8000]) {
      const bits = FINITE.map((low) => sign | low)
      expect([...toHalves(bits.map(meaningOf))]).toEqual(bits)
    }
  })

  it('goes to the nearest, and to the even one from the middle', () => {
    const middles = FINITE.slice(0, -1).map((bits) => (meaningOf(bits) + meaningOf(bits + 1)) / 2)
    expect([...toHalves(middles)]).toEqual(FINITE.slice(0, -1).map((bits) => bits + (bits & 1)))
    const above = middles.map((middle) => middle * (1 + 2 ** -20))
    expect([...toHalves(above)]).toEqual(FINITE.slice(0, -1).map((bits) => bits + 1))
  })

  it('ends at the largest float16', () => {
    expect([...toHalves([1e6, -1e6, 65504, 1e-30])]).toEqual([0x7bff, 0xfbff, 0x7bff, 0])
  })
})

describe('a graph in float16', () => {
  it.each([
    ['torch', 'features', 'none'],
    ['torch', 'maps', 'avg'],
    ['torch-any-size', 'maps', 'avg'],
  ] as const)(
    'of %s takes pixels, gives float32, and is near float32 (%s, %s)',
    async (name, cut, pooling) => {
      const { model } = await prepareGraph(
        onnxBase(name),
        { cut, pooling, precision: 'fp16', input: IMAGE_INPUT },
        { rankOf: async () => 4, batch: null },
      )
      const weights = model.graph.initializer.filter(({ dims }) => dims.length === 4)
      expect(weights.map(({ dataType }) => dataType)).toEqual(weights.map(() => DataType.FLOAT16))
      const session = await ort.InferenceSession.create(serialiseOnnxModel(model))
      const pixels = new ort.Tensor('uint8', PIXELS, [SAMPLES, SIDE, SIDE, 3])
      const output = (await session.run({ [PREPARED_INPUT]: pixels }))[PREPARED_OUTPUT]
      expect(output?.type).toBe('float32')
      const difference = maxDifference(
        output?.data as Float32Array,
        expectedOf('torch', 'features').values,
      )
      expect(difference).toBeLessThan(0.02)
      // Computed in float32 it would be a thousand times nearer.
      expect(difference).toBeGreaterThan(1e-5)
      await session.release()
    },
  )
})
