// Hostile ONNX files: refused with an error of ours, before or by onnxruntime, never with a crash.
import { toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_ONNX_ENTRIES, MAX_ONNX_STRUCTURE_BYTES } from '../../src/extractor/base/limits.js'
import { inspectOnnxBase } from '../../src/extractor/engines/onnxruntime.js'
import { assertOnnxModel } from '../../src/extractor/onnx/check.js'
import {
  changed,
  type OnnxModel,
  parseOnnxModel,
  withGraph,
} from '../../src/extractor/onnx/model.js'
import { ModelProtoSchema } from '../../src/extractor/onnx/onnx_pb.js'
import { baseOf, onnxBase, onnxBytes, onnxModel } from '../support/onnx-models.js'

const failure = (code: string, said: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(said) as string }) as Error
const isOurs = (error: unknown): boolean =>
  error instanceof Error &&
  error.name === 'HeadstartError' &&
  !('code' in error && error.code === 'INTERNAL')

describe('an ONNX file', () => {
  it.each([
    ['two-inputs', 'BASE_INVALID', 'the base has 2 inputs, not one: a, b'],
    ['custom-domain', 'BASE_LAYER_UNKNOWN', 'com.example:Relu'],
    ['unknown-operator', 'BASE_LAYER_UNKNOWN', 'Frobnicate'],
    ['integer-input', 'BASE_INVALID', 'the input a has the type int32'],
    ['not-finite', 'BASE_WEIGHTS_INVALID', 'the weight "w" has values that are not finite'],
  ])('%s is %s', async (name, code, said) => {
    await expect(inspectOnnxBase(onnxBase(name))).rejects.toThrow(failure(code, said))
  })

  it('with weights of another length than their shape says is refused', () => {
    const model = onnxModel('torch')
    const initializer = model.graph.initializer.map((tensor) =>
      changed(tensor, { rawData: tensor.rawData.subarray(4) }),
    )
    expect(() => assertOnnxModel(withGraph(model, { initializer }))).toThrow(
      failure('BASE_WEIGHTS_INVALID', 'expected'),
    )
  })

  it('with more parameters than a base may have is refused without them', () => {
    const model = onnxModel('torch')
    for (const dims of [[2n ** 40n, 2n ** 40n], [-1n], [600_000_000n]]) {
      const initializer = model.graph.initializer.map((tensor) => changed(tensor, { dims }))
      expect(() => assertOnnxModel(withGraph(model, { initializer }))).toThrow(
        failure('BASE_TOO_LARGE', 'parameters'),
      )
    }
  })

  it('of an old standard is refused', () => {
    const model = onnxModel('torch')
    const opsetImport = model.opsetImport.map((opset) => changed(opset, { version: 6n }))
    expect(() => assertOnnxModel(changed(model, { opsetImport }))).toThrow(
      failure('BASE_INVALID', '7 or later'),
    )
  })

  /** A field that onnx.proto does not list, behind the others. */
  const withField = (model: OnnxModel, no: number): OnnxModel => {
    const field = new BinaryWriter()
      .tag(no, WireType.LengthDelimited)
      .bytes(new Uint8Array(2))
      .finish()
    return parseOnnxModel(Buffer.concat([toBinary(ModelProtoSchema, model), field]))
  }
  it.each([
    [20, 'training graphs'],
    [25, 'functions'],
  ])('with a part that nothing looks into (field %i: %s) is refused', (no, said) => {
    expect(() => assertOnnxModel(withField(onnxModel('torch'), no))).toThrow(
      failure('BASE_INVALID', said),
    )
  })

  it('with a part that is only words is not', () => {
    expect(assertOnnxModel(withField(onnxModel('torch'), 6))).toBeGreaterThan(2000)
  })
})

describe('bytes that are no ONNX file', () => {
  it('are BASE_INVALID', () => {
    for (const text of ['', 'text', '{"format": "layers-model"}', '\x89PNG\r\n'])
      expect(() => parseOnnxModel(Buffer.from(text))).toThrow(failure('BASE_INVALID', 'no ONNX'))
  })

  it('that would become too many objects are refused before they do', () => {
    // Two bytes each: nodes without anything.
    const nodes = new Uint8Array(2 * (MAX_ONNX_ENTRIES + 1)).map((_, i) => (i % 2 === 0 ? 0x0a : 0))
    const many = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(nodes).finish()
    expect(() => parseOnnxModel(many)).toThrow(failure('BASE_TOO_LARGE', 'entries'))
    const words = new Uint8Array(MAX_ONNX_STRUCTURE_BYTES + 1)
    const long = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(words).finish()
    expect(() => parseOnnxModel(long)).toThrow(failure('BASE_TOO_LARGE', 'besides raw weights'))
  })

  it('nested without end are refused', () => {
    let bytes = new Uint8Array(0)
    for (let depth = 0; depth < 10_000; depth += 1) {
      const field = (no: number) => {
        bytes = new BinaryWriter().tag(no, WireType.LengthDelimited).bytes(bytes).finish()
      }
      // A graph in an attribute in a node.
      for (const no of [6, 5, 1]) field(no)
      if (bytes.length > 100_000) break
    }
    bytes = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(bytes).finish()
    expect(() => parseOnnxModel(bytes)).toThrow(failure('BASE_INVALID', ''))
  })
})

describe('a damaged ONNX file', () => {
  const names = ['torch', 'torch-batch1', 'branches', 'tokens', 'channels-last', 'float16']
  const whole = names.map(onnxBytes)
  const inspected = async (bytes: Uint8Array): Promise<void> => {
    try {
      await inspectOnnxBase(baseOf(bytes))
    } catch (error) {
      if (!isOurs(error)) throw error
    }
  }
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

  it('with flipped bits is inspected or refused', async () => {
    const flips = fc.array(fc.tuple(fraction, fc.nat(7)), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...whole), flips, async (bytes, changes) => {
        const damaged = Uint8Array.from(bytes)
        for (const [at, bit] of changes) {
          const i = Math.floor(at * damaged.length)
          damaged[i] = (damaged[i] ?? 0) ^ (1 << bit)
        }
        await inspected(damaged)
      }),
      { numRuns: 300 },
    )
  })

  it('cut short is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...whole), fraction, async (bytes, at) => {
        await inspected(bytes.subarray(0, Math.floor(at * bytes.length)))
      }),
      { numRuns: 50 },
    )
  })
})
