// The engine of a thread, in this one: fixed batches and what stays allocated.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTfjsBase } from '../../src/extractor/base/load.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import type { Engine, EngineRequest } from '../../src/extractor/engines/engine.js'
import { createTfjsEngine } from '../../src/extractor/engines/tfjs-engine.js'
import { openWasm } from '../../src/extractor/engines/wasm.js'
import { graphBaseInMemory, writeBase } from '../support/base-files.js'
import { bitsOf, registerInNewStore } from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import { seededRandom } from '../support/images.js'
import { TINY_SIDE, writeTinyBase } from '../support/tiny-base.js'

const BATCH = 16
const COUNTS = [1, 15, 16, 17, 33]
const inputShape = [TINY_SIDE, TINY_SIDE, 3]
const WIDTH = TINY_SIDE * TINY_SIDE * 3

const random = seededRandom(7)
const rows = Float32Array.from({ length: 33 * WIDTH }, () => random() * 2 - 1)

let wasm: Awaited<ReturnType<typeof openWasm>>
let tiny: TfjsBase
let graph: TfjsBase
const engines: Engine[] = []

const loaded = async (folder: string): Promise<TfjsBase> => {
  const { store, base } = await registerInNewStore(folder)
  return loadTfjsBase(store, base.baseId)
}

const open = async (request: Partial<EngineRequest>): Promise<Engine> => {
  const { base = tiny, ...rest } = request
  const engine = await createTfjsEngine(
    wasm.tf,
    wasm.info,
    {
      base,
      engine: 'wasm',
      settings: DEFAULT_ENGINE_SETTINGS,
      precision: 'fp32',
      cut: 'pool',
      pooling: 'none',
      fixedBatch: null,
      input: { kind: 'tensor', dtype: 'float32', shape: [...inputShape] },
      intraThreads: 1,
      ...rest,
    },
    base as TfjsBase,
  )
  engines.push(engine)
  return engine
}

beforeAll(async () => {
  wasm = await openWasm(DEFAULT_ENGINE_SETTINGS)
  tiny = await loaded(await writeTinyBase(await makeFolder()))
  graph = await loaded(await writeBase(graphBaseInMemory()))
})
afterAll(() => {
  for (const engine of engines) engine.close()
})

const CASES = [
  ['a LayersModel', () => ({ base: tiny, cut: 'pool' })],
  ['a LayersModel inside, pooled', () => ({ base: tiny, cut: 'bn', pooling: 'max' })],
  ['a GraphModel', () => ({ base: graph, cut: 'mean' })],
] as const

describe.each(CASES)('a fixed batch of 16 of %s', (_, request) => {
  it.each(COUNTS)('gives %i rows the bits that they have unpadded', async (count) => {
    const [free, fixed] = [await open(request()), await open({ ...request(), fixedBatch: BATCH })]
    const given = rows.subarray(0, count * WIDTH)
    const [expected, found] = [await free.run(given, count), await fixed.run(given, count)]
    expect(found.shape).toEqual(expected.shape)
    expect(bitsOf(found.values)).toBe(bitsOf(expected.values))
    expect(found.values.length % count).toBe(0)
  })

  it('leaves as many tensors as there were, and its input as it was', async () => {
    const fixed = await open({ ...request(), fixedBatch: BATCH })
    await fixed.run(rows.subarray(0, WIDTH), 1)
    const [tensors, before] = [fixed.tensorCount(), bitsOf(rows)]
    for (let round = 0; round < 5; round += 1)
      for (const count of COUNTS) {
        await fixed.run(rows.subarray(0, count * WIDTH), count)
        expect(fixed.tensorCount()).toBe(tensors)
      }
    expect(bitsOf(rows)).toBe(before)
  })
})

describe('an engine that cannot be opened', () => {
  it.each([
    ['a LayersModel', () => tiny],
    ['a GraphModel', () => graph],
  ] as const)('for an unknown cut of %s keeps no tensor of the base', async (_, base) => {
    const before = wasm.tf.core.memory().numTensors
    for (let round = 0; round < 3; round += 1)
      await expect(open({ base: base(), cut: 'none' })).rejects.toMatchObject({
        code: 'CUT_NOT_FOUND',
      })
    expect(wasm.tf.core.memory().numTensors).toBe(before)
  })
})
