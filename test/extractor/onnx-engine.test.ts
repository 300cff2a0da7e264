// The onnxruntime engine, in this thread: what torch and the reference evaluator computed, the same
// bits in any batch, devices that are not there.
import { describe, expect, it } from 'vitest'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import type { Engine, EngineRequest } from '../../src/extractor/engines/engine.js'
import { probeOnnxruntime } from '../../src/extractor/engines/onnxruntime.js'
import { createNormalise } from '../../src/extractor/normalise.js'
import { createGraphBuilder } from '../../src/extractor/onnx/graph-builder.js'
import { inputInfo } from '../../src/extractor/onnx/graph-input.js'
import { serialiseOnnxModel, withGraph } from '../../src/extractor/onnx/model.js'
import { TensorProto_DataType as DataType } from '../../src/extractor/onnx/onnx_pb.js'
import { bitsOf } from '../support/extractors.js'
import { imageInput, seededRandom } from '../support/images.js'
import {
  baseOf,
  expectedOf,
  IMAGE_INPUT,
  maxDifference,
  onnxBase,
  onnxModel,
  openOnnx,
  PIXELS,
  ROW_INPUT,
  ROWS,
  SAMPLES,
  SIDE,
  rowsOf as shaped,
} from '../support/onnx-models.js'

const WIDTH = SIDE * SIDE * 3
const failure = (code: string, said: string) => ({
  code,
  message: expect.stringContaining(said) as string,
})

describe('features of a model of torch', () => {
  it.each([
    ['torch', 'features', 'none'],
    ['torch', 'maps', 'avg'],
    ['torch-batch1', 'features', 'none'],
    ['torch-batch1', 'maps', 'avg'],
    ['torch-any-size', 'features', 'none'],
    ['torch-any-size', 'maps', 'avg'],
  ] as const)(
    '%s, at %s pooled by %s, are those that torch computes',
    async (name, cut, pooling) => {
      const engine = await openOnnx(onnxBase(name), { cut, pooling })
      const { values, shape } = await engine.run(PIXELS, SAMPLES)
      expect(shape).toEqual([20])
      expect(maxDifference(values, expectedOf('torch', 'features').values)).toBeLessThan(2e-6)
    },
  )

  it('are maps with channels first, and their maximum is taken over the other axes', async () => {
    const { shape, values } = expectedOf('torch', 'maps')
    const maps = await (await openOnnx(onnxBase('torch'), { cut: 'maps' })).run(PIXELS, SAMPLES)
    expect(maps.shape).toEqual(shape)
    expect(maxDifference(maps.values, values)).toBeLessThan(5e-6)
    const max = await (await openOnnx(onnxBase('torch'), { cut: 'maps', pooling: 'max' })).run(
      PIXELS,
      SAMPLES,
    )
    const expected = Array.from({ length: SAMPLES * 20 }, (_, i) =>
      Math.max(...maps.values.subarray(i * 25, (i + 1) * 25)),
    )
    expect(max.shape).toEqual([20])
    expect([...max.values]).toEqual(expected)
  })

  it('are the same from pixels and from the rows that they become', async () => {
    const normalised = createNormalise(IMAGE_INPUT)(PIXELS)
    const first = new Float32Array(normalised.length)
    for (let i = 0; i < normalised.length; i += 1) {
      const [sample, pixel, channel] = [Math.floor(i / WIDTH), Math.floor((i % WIDTH) / 3), i % 3]
      first[sample * WIDTH + channel * SIDE * SIDE + pixel] = normalised[i] ?? 0
    }
    const input = shaped(3, SIDE, SIDE)
    const rows = await (await openOnnx(onnxBase('torch'), { cut: 'features', input })).run(
      first,
      SAMPLES,
    )
    const pixels = await (await openOnnx(onnxBase('torch'), { cut: 'features' })).run(
      PIXELS,
      SAMPLES,
    )
    expect(maxDifference(pixels.values, rows.values)).toBeLessThan(1e-6)
  })

  it('leave the pixels as they were', async () => {
    const given = Uint8Array.from(PIXELS)
    await (await openOnnx(onnxBase('torch'), { cut: 'features' })).run(given, SAMPLES)
    expect(given).toEqual(PIXELS)
  })
})

describe('pixels', () => {
  const input = (change: object) => ({
    ...imageInput(change),
    size: [SIDE, SIDE] as [number, number],
  })
  /** The first convolution sees them alone: with the engine of another normalisation it must agree. */
  it.each([
    ['as they are', {}],
    ['scaled', { scale: [1 / 255, 1 / 255, 1 / 255] }],
    ['scaled and moved', { scale: [1 / 127.5, 1 / 127.5, 1 / 127.5], offset: [-1, -1, -1] }],
    ['each channel its own', { scale: [0.5, 1, 2], offset: [1, 0, -3] }],
    ['blue first', { channels: 'bgr', scale: [0.5, 1, 2], offset: [-103.9, -116.8, -123.7] }],
  ])('%s are normalised as everywhere, in both orders of axes', async (_, change) => {
    const spec = input(change)
    const values = createNormalise(spec)(PIXELS)
    const rows = shaped(SIDE, SIDE, 3)
    const base = onnxBase('channels-last')
    const open = (given: EngineRequest['input']) => openOnnx(base, { cut: 'maps', input: given })
    const expected = await (await open(rows)).run(values, SAMPLES)
    const found = await (await open(spec)).run(PIXELS, SAMPLES)
    const largest = Math.max(...expected.values.map(Math.abs))
    expect(maxDifference(found.values, expected.values) / largest).toBeLessThan(1e-6)
    // The same picture, its axes turned before the same convolution.
    const first = await (await openOnnx(onnxBase('torch'), { cut: 'relu', input: spec })).run(
      PIXELS,
      SAMPLES,
    )
    const turned = new Float32Array(values.length)
    for (let i = 0; i < values.length; i += 1)
      turned[Math.floor(i / WIDTH) * WIDTH + (i % 3) * SIDE * SIDE + Math.floor((i % WIDTH) / 3)] =
        values[i] ?? 0
    const shape = shaped(3, SIDE, SIDE)
    const torch = await (await openOnnx(onnxBase('torch'), { cut: 'relu', input: shape })).run(
      turned,
      SAMPLES,
    )
    const torchLargest = Math.max(...torch.values.map(Math.abs))
    expect(maxDifference(first.values, torch.values) / torchLargest).toBeLessThan(1e-6)
  })
})

describe('other graphs', () => {
  it.each(['avg', 'max'] as const)(
    'with channels last are pooled over the axes before (%s)',
    async (pooling) => {
      const engine = await openOnnx(onnxBase('channels-last'), { cut: 'maps', pooling })
      const { values, shape } = await engine.run(PIXELS, SAMPLES)
      expect(shape).toEqual([6])
      expect(maxDifference(values, expectedOf('channels-last', pooling).values)).toBeLessThan(1e-5)
    },
  )

  it.each(['avg', 'max'] as const)('with tokens are pooled over these (%s)', async (pooling) => {
    const engine = await openOnnx(onnxBase('tokens'), { cut: 'tokens', pooling, input: ROW_INPUT })
    const { values, shape } = await engine.run(ROWS, 3)
    expect(shape).toEqual([5])
    expect(maxDifference(values, expectedOf('tokens', pooling).values)).toBeLessThan(1e-5)
  })

  it('with flat features have nothing to pool', async () => {
    const request = { cut: 'flat', input: ROW_INPUT }
    const plain = await (await openOnnx(onnxBase('tokens'), request)).run(ROWS, 3)
    const pooled = await (await openOnnx(onnxBase('tokens'), { ...request, pooling: 'avg' })).run(
      ROWS,
      3,
    )
    expect(pooled).toEqual(plain)
  })

  it.each([
    ['float16', 2e-3],
    ['double', 1e-6],
    ['branches', 1e-6],
  ])('%s give float32 near those of the reference', async (name, tolerance) => {
    const engine = await openOnnx(onnxBase(name), { cut: 'out', input: ROW_INPUT })
    const { values } = await engine.run(ROWS, 3)
    expect(maxDifference(values, expectedOf(name, 'out').values)).toBeLessThan(tolerance)
  })
})

describe('the bits of a sample', () => {
  const COUNT = 16
  const random = seededRandom(5)
  const pixels = Uint8Array.from({ length: COUNT * WIDTH }, () => Math.floor(random() * 256))
  const pixelsOf = (sample: number) => pixels.subarray(sample * WIDTH, (sample + 1) * WIDTH)
  const rowsOf = async (engine: Engine, samples: readonly number[]): Promise<string[]> => {
    const batch = new Uint8Array(samples.length * WIDTH)
    samples.forEach((sample, i) => {
      batch.set(pixelsOf(sample), i * WIDTH)
    })
    const { values } = await engine.run(batch, samples.length)
    const width = values.length / samples.length
    return samples.map((_, i) => bitsOf(values.slice(i * width, (i + 1) * width)))
  }
  const ALL = Array.from({ length: COUNT }, (_, i) => i)

  it.each([
    ['torch', 'features', 'none'],
    ['torch', 'maps', 'none'],
    ['torch', 'maps', 'avg'],
    ['torch-batch1', 'features', 'none'],
    ['torch-any-size', 'maps', 'max'],
    ['channels-last', 'maps', 'avg'],
  ] as const)(
    '%s at %s (%s) are the same in any batch, at any position, on 1 and 2 threads',
    async (name, cut, pooling) => {
      const base = onnxBase(name)
      const one = await openOnnx(base, { cut, pooling })
      const alone: string[] = []
      for (const sample of ALL) alone.push(...(await rowsOf(one, [sample])))
      expect(new Set(alone).size).toBe(COUNT)
      for (const intraThreads of [1, 2]) {
        const engine = await openOnnx(base, { cut, pooling, intraThreads })
        for (const size of [1, 2, 3, 7, 8, 16])
          for (const turn of [0, 5]) {
            const samples = Array.from({ length: size }, (_, i) => (i * 3 + turn) % COUNT)
            expect(await rowsOf(engine, samples)).toEqual(samples.map((sample) => alone[sample]))
          }
      }
    },
  )

  it('are the same alone where channels are last and a mean is taken over the axes before', async () => {
    const [shape, width, count] = [[7, 7, 64], 7 * 7 * 64, 5]
    const model = withGraph(onnxModel('channels-last'), { node: [], initializer: [] })
    model.graph.input = [inputInfo('images', DataType.FLOAT, [null, ...shape])]
    createGraphBuilder(model.graph).node('Relu', ['images'], {}, 'relu')
    const engine = await openOnnx(baseOf(serialiseOnnxModel(model)), {
      cut: 'relu',
      pooling: 'avg',
      input: shaped(...shape),
    })
    const values = Float32Array.from({ length: count * width }, () => random() * 2 - 1)
    const together = await engine.run(values, count)
    for (let i = 0; i < count; i += 1) {
      const alone = await engine.run(values.subarray(i * width, (i + 1) * width), 1)
      expect(bitsOf(alone.values)).toBe(bitsOf(together.values.slice(i * 64, (i + 1) * 64)))
    }
  })

  it.each([1, 2, 3, 16])(
    'are the same in batches of fixed size, padded (%i samples)',
    async (count) => {
      const samples = ALL.slice(0, count)
      const free = await openOnnx(onnxBase('torch'), { cut: 'features' })
      for (const fixedBatch of [1, 3, 4, 32]) {
        const fixed = await openOnnx(onnxBase('torch'), { cut: 'features', fixedBatch })
        expect(await rowsOf(fixed, samples)).toEqual(await rowsOf(free, samples))
      }
    },
  )

  it('do not depend on a batch that was asked for of a base that fixes another', async () => {
    const own = await openOnnx(onnxBase('torch-batch1'), { cut: 'features' })
    const asked = await openOnnx(onnxBase('torch-batch1'), { cut: 'features', fixedBatch: 16 })
    expect(await rowsOf(asked, ALL)).toEqual(await rowsOf(own, ALL))
  })
})

describe('an engine that cannot be opened', () => {
  it.each([
    ['a cut that is not there', { cut: 'none' }, 'CUT_NOT_FOUND', 'none'],
    [
      'another size',
      { input: { ...IMAGE_INPUT, size: [32, 32] as [number, number] } },
      'EXTRACTOR_INPUT_MISMATCH',
      '[3, 32, 32]',
    ],
    [
      'rows of another shape',
      { input: ROW_INPUT },
      'EXTRACTOR_INPUT_MISMATCH',
      'the base takes [3, 24, 24]',
    ],
    ['float16 on a CPU', { precision: 'fp16' }, 'ENGINE_UNAVAILABLE', 'fp16 needs a GPU'],
  ] as const)('for %s says so', async (_, change, code, said) => {
    const opened = openOnnx(onnxBase('torch'), { cut: 'features', ...change })
    await expect(opened).rejects.toMatchObject(failure(code, said))
  })

  it('for a cut that does not depend on the input is CUT_UNUSABLE', async () => {
    const opened = openOnnx(onnxBase('torch-batch1'), { cut: '/block/Constant_output_0' })
    await expect(opened).rejects.toMatchObject(failure('CUT_UNUSABLE', 'does not depend'))
  })
})

describe('an engine that is given what it does not take', () => {
  it('says so, and goes on', async () => {
    const engine = await openOnnx(onnxBase('torch'), { cut: 'features' })
    await expect(engine.run(ROWS, 3)).rejects.toMatchObject({ code: 'EXTRACTOR_INPUT_MISMATCH' })
    await expect(engine.run(PIXELS.subarray(1), SAMPLES)).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
    })
    expect((await engine.run(PIXELS, SAMPLES)).shape).toEqual([20])
    expect(engine.tensorCount()).toBe(0)
  })

  it('for a cut without a row for each sample is CUT_UNUSABLE', async () => {
    const engine = await openOnnx(onnxBase('tokens'), { cut: 'scaled', input: ROW_INPUT })
    await expect(engine.run(ROWS, 3)).rejects.toMatchObject(
      failure('CUT_UNUSABLE', 'for 3 samples'),
    )
  })
})

describe('devices', () => {
  const probe = (device: string) => probeOnnxruntime({ ...DEFAULT_ENGINE_SETTINGS, device })

  it('are named, with the version of the library', async () => {
    expect(await probe('cpu')).toEqual({
      engine: 'onnxruntime',
      version: 'onnxruntime 1.30.0, graph 1',
      device: 'cpu',
    })
    expect((await probe('auto')).device).toMatch(/^(cpu|cuda:0)$/)
  })

  it.each(['cuda', 'cuda:1', 'tensorrt', 'webgpu'])(
    '%s is used, or is an error that says what it needs; nothing takes its place',
    async (device) => {
      const found = await probe(device).catch((error: unknown) => error)
      if (found instanceof Error)
        expect(found).toMatchObject({
          code: 'ENGINE_UNAVAILABLE',
          message: expect.stringMatching(
            device === 'webgpu'
              ? /Vulkan/
              : /ONNXRUNTIME_NODE_INSTALL=cuda12|there is no NVIDIA device|NVIDIA_TF32_OVERRIDE/,
          ) as string,
        })
      else
        expect(found).toMatchObject({ device: expect.stringMatching(`^${device}(:0)?$`) as string })
    },
  )
})
