import { layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { BaseRecord } from '../../src/extractor/base/load.js'
import { chooseEngine } from '../../src/extractor/choose-engine.js'
import { loadCompiledRecord } from '../../src/extractor/compile/record.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import type { EngineRequestName, Precision } from '../../src/extractor/spec.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { saveModelFolder } from '../../src/head/model-files.js'
import type { HeadArtifacts } from '../../src/head/types.js'
import type { Store } from '../../src/store/port.js'
import { baseOf } from '../head/models.js'
import { registerInNewStore } from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'

interface Registered {
  readonly store: Store
  readonly base: BaseRecord
}

/** No machine of the suite has a GPU to offer: named, so that the choice is the same everywhere. */
const settings = { ...DEFAULT_ENGINE_SETTINGS, device: 'cpu' }

const choose = (
  { store, base }: Registered,
  request: { engine?: EngineRequestName; precision?: Precision; cut?: string } = {},
) => {
  const { engine = 'auto', precision = 'fp32', cut = 'pool' } = request
  return chooseEngine({ engine, precision, base, cut }, { store, settings })
}

/** dense -> lstm -> dense: what follows the lstm has no counterpart in ONNX here. */
const recurrent = async (): Promise<Registered> => {
  const model = sequential({
    layers: [
      layers.dense({ units: 4, inputShape: [5, 3], name: 'first' }),
      layers.lstm({ units: 4, recurrentInitializer: 'glorotUniform', name: 'memory' }),
      layers.dense({ units: 2, name: 'last' }),
    ],
  })
  const folder = await makeFolder()
  const { topology, weightSpecs, weights } = await baseOf(model)
  await saveModelFolder(folder, {
    topology: topology as HeadArtifacts['topology'],
    weightSpecs: weightSpecs as HeadArtifacts['weightSpecs'],
    weights,
  })
  return registerInNewStore(folder)
}

let tiny: Registered
beforeAll(async () => {
  await ensureHeadBackend()
  tiny = await registerInNewStore(await writeTinyBase(await makeFolder()))
})

describe('auto', () => {
  it('takes onnxruntime for a TF.js base, compiles it once, and says on what it runs', async () => {
    expect(await loadCompiledRecord(tiny.store, tiny.base.baseId)).toBeNull()
    const choices = await Promise.all([choose(tiny), choose(tiny)])
    for (const { engine, reason } of choices) {
      expect(engine).toEqual({ name: 'onnxruntime', fixedBatch: null, precision: 'fp32' })
      expect(reason).toMatch(/^onnxruntime \d[\d.]*, graph 1 on cpu$/)
    }
    const record = await loadCompiledRecord(tiny.store, tiny.base.baseId)
    expect(record).toMatchObject({ problem: null, unsupported: [], cuts: ['conv', 'bn', 'pool'] })
    const measured = record?.drift.filter(({ engine }) => engine === 'onnxruntime') ?? []
    expect(new Set(measured.map(({ inputs }) => inputs))).toEqual(new Set(['random', 'real']))
    for (const { relative, samples } of measured) {
      expect(relative).toBeLessThanOrEqual(1e-4)
      expect(samples).toBe(4)
    }
  })

  it('goes on to an engine that can, and names the layer that cannot be compiled', async () => {
    const registered = await recurrent()
    const { engine, reason } = await choose(registered, { cut: 'last' })
    expect(engine.name).not.toBe('onnxruntime')
    expect(reason).toContain('not onnxruntime: onnxruntime cannot compute last')
    expect((await choose(registered, { cut: 'first' })).engine.name).toBe('onnxruntime')
    const record = await loadCompiledRecord(registered.store, registered.base.baseId)
    expect(record?.unsupported).toContainEqual({ path: 'memory', className: 'LSTM' })
  })
})

describe('an engine by name', () => {
  it('is taken without a reason, and wasm without a compiled form', async () => {
    const registered = await registerInNewStore(await writeTinyBase(await makeFolder(), 1))
    expect(await choose(registered, { engine: 'wasm' })).toEqual({
      engine: { name: 'wasm', fixedBatch: null, precision: 'fp32' },
      reason: null,
    })
    expect(await loadCompiledRecord(registered.store, registered.base.baseId)).toBeNull()
  })

  it('that cannot compute the cut is refused with what is in the way', async () => {
    await expect(
      choose(await recurrent(), { engine: 'onnxruntime', cut: 'last' }),
    ).rejects.toMatchObject({
      code: 'BASE_NOT_COMPILED',
      details: expect.arrayContaining(['memory (LSTM)']),
    })
  })

  it.each([
    ['wasm for an ONNX file', { engine: 'wasm', format: 'onnx' }],
    ['webgpu for an ONNX file', { engine: 'webgpu', format: 'onnx' }],
    ['onnxruntime for a SavedModel', { engine: 'onnxruntime', format: 'saved-model' }],
  ] as const)('%s is refused, naming who can', async (_what, { engine, format }) => {
    const base = { ...tiny.base, format }
    await expect(choose({ ...tiny, base }, { engine })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(/; (onnxruntime|tensorflow) can$/),
    })
  })

  it.each(['wasm', 'tensorflow', 'webgpu'] as const)('%s has no half precision', async (engine) => {
    await expect(choose(tiny, { engine, precision: 'fp16' })).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
    })
  })
})
