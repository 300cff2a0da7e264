// The families of keras.applications, written by the real Keras 3 with random weights: what Keras
// computes, what TF.js computes of the translated topology, and what the compiled graph computes.
import { beforeAll, describe, expect, it } from 'vitest'
import { compileLayersModel } from '../../src/extractor/compile/layers-model.js'
import { distanceOf, useBackend } from '../support/graph-models.js'
import { type KerasBase, loadExpected, writeKerasBases } from '../support/keras-bases.js'
import { expectSameAt, loadFolder, predict } from '../support/layers-models.js'

const FAMILIES: readonly KerasBase[] = [
  { family: 'translated', size: 16 },
  { family: 'MobileNet', size: 64 },
  { family: 'MobileNetV2', size: 64 },
  { family: 'MobileNetV3Small', size: 64 },
  { family: 'MobileNetV3Large', size: 64 },
  { family: 'EfficientNetB0', size: 64 },
  { family: 'EfficientNetV2B0', size: 64 },
  { family: 'ResNet50', size: 64 },
  { family: 'ResNet50V2', size: 64 },
  { family: 'InceptionV3', size: 80 },
  { family: 'InceptionResNetV2', size: 80 },
  { family: 'Xception', size: 80 },
  { family: 'DenseNet121', size: 64 },
  { family: 'VGG16', size: 32 },
  { family: 'NASNetMobile', size: 64 },
]

/** Of the largest magnitude. */
const MAX_RELATIVE_ERROR = 1e-4

let folders: ReadonlyMap<string, string>
beforeAll(async () => {
  await useBackend('wasm')
  folders = await writeKerasBases(FAMILIES)
}, 300_000)

const largest = (values: Float32Array): number =>
  values.reduce((max, value) => Math.max(max, Math.abs(value)), 0)

describe('the family', () => {
  it.each(FAMILIES)('$family: Keras, TF.js and the compiled graph agree', async ({ family }) => {
    const folder = folders.get(family) ?? ''
    const model = await loadFolder(folder)
    const compiled = await compileLayersModel(model)
    expect(compiled.unsupported).toEqual([])
    const { input, cuts } = await loadExpected(folder)
    expect(cuts.length).toBeGreaterThan(2)
    for (const { path, x: expected, shape } of cuts) {
      const reference = predict(model, path, input.x, input.shape)
      expect([path, ...reference.shape]).toEqual([path, ...shape])
      const scale = largest(expected)
      expect(new Set(expected).size, path).toBeGreaterThan(4)
      expect(distanceOf(reference.values, expected) / Math.min(1, scale), path).toBeLessThan(
        MAX_RELATIVE_ERROR,
      )
      await expectSameAt({ model, compiled }, path, input, MAX_RELATIVE_ERROR * Math.min(1, scale))
    }
    model.dispose()
  })
})
