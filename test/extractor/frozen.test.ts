import { join } from 'node:path'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { describe, expect, it } from 'vitest'
import { prepareBase } from '../../examples/samples/prepare.mjs'
import { loadTfjsBase } from '../../src/extractor/base/load.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import { loadTfjsModel } from '../../src/extractor/engines/tfjs.js'
import { cutLayersModel } from '../../src/extractor/engines/tfjs-cut.js'
import { openWasm } from '../../src/extractor/engines/wasm.js'
import { sha256 } from '../../src/identity/hash.js'
import { featuresOf, openFor, registerInNewStore } from '../support/extractors.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { tinyPng } from '../support/tiny-images.js'

const bases: readonly [string, string, (folder: string) => Promise<unknown>][] = [
  ['tiny', 'pool', writeTinyBase],
  ['MobileNetV2', 'flatten_1', (folder) => prepareBase('mobilenet_v2', folder)],
]

/** The bytes of every weight in the engine, in the order of the base's manifest. */
const weightsInEngine = async (model: LayersModel, base: TfjsBase): Promise<string> => {
  const byName = new Map(model.weights.map((weight) => [weight.originalName, weight]))
  const parts: Uint8Array[] = []
  for (const { name } of base.weightSpecs) {
    const values = await byName.get(name)?.read().data()
    if (values === undefined) throw new Error(`no weight ${name} in the model`)
    parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  return sha256(...parts)
}

describe.each(bases)('the weights of %s', (_, cut, write) => {
  it('are after many forward passes those that were registered, moving statistics included', async () => {
    const folder = join(await makeFolder(), 'base')
    await write(folder)
    const { store, base } = await registerInNewStore(folder)
    const loaded = await loadTfjsBase(store, base.baseId)
    const registered = sha256(loaded.weights)
    expect(
      loaded.weightSpecs.filter(({ name }) => name.includes('moving_')).length,
    ).toBeGreaterThan(1)

    // The forward pass of an engine thread, in this one, where its tensors can be looked at.
    const { tf } = await openWasm(DEFAULT_ENGINE_SETTINGS)
    const engine = await loadTfjsModel(tf, loaded)
    if (engine.format !== 'layers-model') throw new Error('no LayersModel')
    const model = cutLayersModel(tf, engine.model, cut)
    const before = await weightsInEngine(engine.model, loaded)
    // Quantised weights are other bytes in the engine than in the file.
    if (loaded.weightSpecs.every(({ quantization }) => quantization === undefined))
      expect(before).toBe(registered)
    for (let batch = 0; batch < 5; batch += 1) {
      const x = tf.core.randomUniform(
        [4, ...(base.inputShape as number[])],
        0,
        50,
        'float32',
        batch,
      )
      tf.core.dispose([x, model.predictOnBatch(x) as typeof x])
    }
    expect(await weightsInEngine(engine.model, loaded)).toBe(before)
    engine.model.dispose()

    const extractor = await openFor({ store, base }, { cut })
    for (let batch = 0; batch < 3; batch += 1)
      await featuresOf(extractor, [tinyPng(0, batch), tinyPng(1, batch)])
    expect(sha256(loaded.weights)).toBe(registered)
    expect(sha256((await loadTfjsBase(store, base.baseId)).weights)).toBe(registered)
  })
})
