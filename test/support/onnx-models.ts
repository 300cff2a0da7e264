// Owns the ONNX files of test/fixtures/onnx, what is expected of them, and engines over them in this thread.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll } from 'vitest'
import type { OnnxBase } from '../../src/extractor/base/loaded-base.js'
import { assembleOnnxBase, MODEL_ONNX } from '../../src/extractor/base/onnx-source.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import type { Engine, EngineRequest } from '../../src/extractor/engines/engine.js'
import { openOnnxruntime } from '../../src/extractor/engines/onnxruntime.js'
import { type OnnxModel, parseOnnxModel } from '../../src/extractor/onnx/model.js'
import { preprocessSchema, resolveImageInput } from '../../src/extractor/preprocess.js'
import { pngOf } from './tiny-images.js'

export const FIXTURES = resolve('test/fixtures/onnx')

export const onnxBytes = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(FIXTURES, `${name}.onnx`)))

export const onnxModel = (name: string): OnnxModel => parseOnnxModel(onnxBytes(name))

export const baseOf = (bytes: Uint8Array): OnnxBase =>
  assembleOnnxBase(new Map([[MODEL_ONNX, bytes]]))

export const onnxBase = (name: string): OnnxBase => baseOf(onnxBytes(name))

interface Expected {
  /** Without the batch axis. */
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

/** What torch, or the reference evaluator of onnx, computed: by model, then by output. */
export const EXPECTED = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as {
  readonly [model: string]: { readonly [output: string]: Expected }
}

export const expectedOf = (model: string, output: string): Expected => {
  const found = EXPECTED[model]?.[output]
  if (found === undefined) throw new Error(`expected.json has no ${output} of ${model}`)
  return found
}

export const SIDE = 24
export const SAMPLES = 5
const PIXEL_BYTES = SIDE * SIDE * 3

/** The images that the expected features belong to, RGB, back to back. */
export const PIXELS = Uint8Array.from({ length: SAMPLES * PIXEL_BYTES }, (_, i) => (i * 7919) % 251)

/** The same as files. */
export const IMAGE_FILES: readonly Buffer[] = Array.from({ length: SAMPLES }, (_, sample) => {
  const rows = Buffer.alloc(SIDE * (SIDE * 3 + 1))
  for (let y = 0; y < SIDE; y += 1) {
    const from = sample * PIXEL_BYTES + y * SIDE * 3
    rows.set(PIXELS.subarray(from, from + SIDE * 3), y * (SIDE * 3 + 1) + 1)
  }
  return pngOf(SIDE, SIDE, rows)
})

/** Three rows of four numbers from -1 to 1. */
export const ROWS = Float32Array.from({ length: 12 }, (_, i) => Math.fround(-1 + (2 * i) / 11))
export const rowsOf = (...shape: number[]): EngineRequest['input'] => ({
  kind: 'tensor',
  dtype: 'float32',
  shape,
})
export const ROW_INPUT = rowsOf(4)

/** Normalised as torchvision does. */
export const IMAGE_INPUT = resolveImageInput(preprocessSchema.parse({ range: 'torch' }), [
  SIDE,
  SIDE,
])

const engines: Engine[] = []
afterAll(() => {
  for (const engine of engines.splice(0)) engine.close()
})

/** An engine on the CPU of this thread; closed at the end of the test file. */
export const openOnnx = async (
  base: OnnxBase,
  request: Pick<EngineRequest, 'cut'> & Partial<EngineRequest>,
): Promise<Engine> => {
  const engine = await openOnnxruntime(
    {
      base,
      engine: 'onnxruntime',
      settings: { ...DEFAULT_ENGINE_SETTINGS, device: 'cpu' },
      precision: 'fp32',
      pooling: 'none',
      fixedBatch: null,
      input: IMAGE_INPUT,
      intraThreads: 1,
      ...request,
    },
    base,
  )
  engines.push(engine)
  return engine
}

/** The largest |found - expected|, of arrays of one length. */
export const maxDifference = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  if (found.length !== expected.length)
    throw new Error(`${found.length} values, ${expected.length} expected`)
  let largest = 0
  for (let i = 0; i < found.length; i += 1)
    largest = Math.max(largest, Math.abs((found[i] ?? 0) - (expected[i] ?? 0)))
  return largest
}
