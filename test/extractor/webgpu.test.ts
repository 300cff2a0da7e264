// The engine webgpu on SwiftShader, a GPU in software: it computes what wasm computes. Needs the
// driver that `node scripts/setup.mjs --tests` unpacks.
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { EnginePool } from '../../src/extractor/engines/pool.js'
import { graphBaseInMemory, writeBase } from '../support/base-files.js'
import { bitsOf, type RegisteredBase, registerInNewStore } from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import { seededRandom } from '../support/images.js'
import { TINY_SIDE, writeTinyBase } from '../support/tiny-base.js'
import { openPool, softwareGpu } from '../support/vulkan.js'

const SHAPE = [TINY_SIDE, TINY_SIDE, 3]
const WIDTH = TINY_SIDE * TINY_SIDE * 3
const SAMPLES = 33
const TOLERANCE = 1e-4

const random = seededRandom(11)
const samples = Array.from({ length: SAMPLES }, () =>
  Float32Array.from({ length: WIDTH }, () => random() * 2 - 1),
)

// Engine processes are started with the environment of this one.
beforeAll(() => {
  Object.assign(process.env, softwareGpu())
})

/** Features of the samples of these numbers, one array each. */
const featuresOf = async (
  pool: EnginePool,
  numbers: readonly number[],
): Promise<Float32Array[]> => {
  const data = new Float32Array(numbers.length * WIDTH)
  numbers.forEach((number, i) => {
    data.set(samples[number] as Float32Array, i * WIDTH)
  })
  const { values } = await pool.forward({ data, count: numbers.length })
  const width = values.length / numbers.length
  return numbers.map((_, i) => values.slice(i * width, (i + 1) * width))
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const tiny = async () => registerInNewStore(await writeTinyBase(join(await makeFolder(), 'base')))
const graph = async () => registerInNewStore(await writeBase(graphBaseInMemory()))

/**
 * The small GraphModel with a BatchNormalization in parts, as converters leave it where they do not fold:
 * `mean` * rsqrt(variance + epsilon) + variance. What depends on weights alone is small, and computed
 * again in every batch.
 */
const unfolded = async () => {
  const { model, weights } = graphBaseInMemory()
  const { node } = model.modelTopology as { node: object[] }
  const attr = { T: { type: 'DT_FLOAT' } }
  for (const name of ['variance', 'epsilon'])
    node.push({ name, op: 'Const', attr: { dtype: { type: 'DT_FLOAT' } } })
  node.push(
    { name: 'sum', op: 'Add', input: ['variance', 'epsilon'], attr },
    { name: 'scale', op: 'Rsqrt', input: ['sum'], attr },
    { name: 'scaled', op: 'Mul', input: ['mean', 'scale'], attr },
    { name: 'normal', op: 'Add', input: ['scaled', 'variance'], attr },
  )
  model.weightsManifest[0]?.weights.push(
    { name: 'variance', shape: [5], dtype: 'float32' },
    { name: 'epsilon', shape: [], dtype: 'float32' },
  )
  const added = Float32Array.of(0.1, 0.237, 0.374, 1.511, 2.648, 1e-3)
  return registerInNewStore(
    await writeBase({ model, weights: Buffer.concat([weights, Buffer.from(added.buffer)]) }),
  )
}

const CASES = [
  ['a LayersModel at its end', tiny, { cut: 'pool' }],
  ['a LayersModel inside, pooled', tiny, { cut: 'bn', pooling: 'avg' }],
  ['a LayersModel inside, not pooled', tiny, { cut: 'conv' }],
  ['a GraphModel at its end', graph, { cut: 'mean' }],
  ['a GraphModel that computes with its weights', unfolded, { cut: 'normal' }],
  ['a GraphModel inside, pooled', graph, { cut: 'relu', pooling: 'max' }],
] as const

describe.each(CASES)('webgpu on the software GPU computes %s', (_, write, request) => {
  let base: RegisteredBase
  let pool: EnginePool
  let first: string

  beforeAll(async () => {
    base = await write()
    pool = await openPool(base, { ...request, shape: SHAPE })
    first = bitsOf((await featuresOf(pool, [0]))[0] as Float32Array)
  })

  it('as wasm does, to 1e-4', async () => {
    const wasm = await openPool(base, { ...request, shape: SHAPE, engine: 'wasm' })
    const expected = await featuresOf(wasm, upTo(SAMPLES))
    const found = await featuresOf(pool, upTo(SAMPLES))
    expect(found).toHaveLength(SAMPLES)
    found.forEach((features, i) => {
      expect(features).toHaveLength(expected[i]?.length ?? 0)
      features.forEach((value, k) => {
        expect(Math.abs(value - (expected[i]?.[k] ?? Number.NaN))).toBeLessThan(TOLERANCE)
      })
    })
    expect(new Set(found.map(bitsOf)).size).toBe(SAMPLES)
  })

  it('with the same bits alone, in any batch and at any position', async () => {
    const alone = (await featuresOf(pool, upTo(SAMPLES))).map(bitsOf)
    expect(alone[0]).toBe(first)
    for (const count of [1, 3, 15, 16, 17, 33]) {
      const order = upTo(count).map((i) => (i * 5 + count) % SAMPLES)
      const found = (await featuresOf(pool, order)).map(bitsOf)
      expect(found).toEqual(order.map((number) => alone[number]))
    }
  })

  it('and says on what, with the versions', async () => {
    const { info } = await pool.forward({ data: new Float32Array(WIDTH), count: 1 })
    expect(info.engine).toBe('webgpu')
    expect(info.version).toMatch(/^tfjs \d+\.\d+\.\d+, webgpu \d+\.\d+\.\d+$/)
    expect(info.device).toMatch(/^cpu \(webgpu: .*swiftshader/i)
  })
})

describe.each([
  ['a LayersModel', tiny, 'pool', 100],
  ['a GraphModel', graph, 'mean', 20],
] as const)('%s on the software GPU', (_, write, cut, batches) => {
  it(`has the same weights after ${batches} batches, and no tensor more`, async () => {
    const pool = await openPool(await write(), { cut, shape: SHAPE })
    const first = bitsOf((await featuresOf(pool, [0]))[0] as Float32Array)
    const data = () => Float32Array.from(samples[1] as Float32Array)
    const { tensorCount } = await pool.forward({ data: data(), count: 1 })
    expect(tensorCount).toBeGreaterThan(0)
    for (let batch = 0; batch < batches; batch += 1)
      expect((await pool.forward({ data: data(), count: 1 })).tensorCount).toBe(tensorCount)
    expect(bitsOf((await featuresOf(pool, [0]))[0] as Float32Array)).toBe(first)
  })
})
