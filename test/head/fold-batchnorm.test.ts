import { join } from 'node:path'
import * as core from '@tensorflow/tfjs-core'
import * as tfLayers from '@tensorflow/tfjs-layers'
import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import { prepareBase } from '../../examples/samples/prepare.mjs'
import { assembleTfjsBase } from '../../src/extractor/base/assemble.js'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { parseModelJson } from '../../src/extractor/base/model-json.js'
import { readBaseSource } from '../../src/extractor/base/read-source.js'
import { headArtifactsOf, readWeights } from '../../src/head/artifacts.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { type ComposeRequest, composeFoldedModel, composeModel } from '../../src/head/compose.js'
import { openModelFolder, saveModelFolder } from '../../src/head/model-files.js'
import type { HeadArtifacts } from '../../src/head/types.js'
import { tinyBaseInMemory } from '../support/base-files.js'
import { makeFolder } from '../support/folders.js'
import { BASES, baseOf, fillWeights, freeWeights, randomValues } from './models.js'

const ROWS = 6
const CLASSES = 3

beforeAll(() => ensureHeadBackend())

const headFrom = (model: tfLayers.LayersModel, key = 'head'): HeadArtifacts => {
  fillWeights(model, key)
  const artifacts = headArtifactsOf(model, readWeights(model))
  freeWeights(model)
  return artifacts
}

const linear = (width: number): HeadArtifacts =>
  headFrom(
    sequential({
      layers: [
        layers.dense({ units: CLASSES, inputShape: [width], name: 'head_logits' }),
        layers.activation({ activation: 'softmax', name: 'head_probabilities' }),
      ],
    }),
  )

/** Its normalisations go forward, backward, and nowhere: the last reads an activation, and its reader is none. */
const normalised = (width: number): HeadArtifacts =>
  headFrom(
    sequential({
      layers: [
        layers.batchNormalization({ inputShape: [width], name: 'head_first' }),
        layers.dense({ units: 5, name: 'head_a' }),
        layers.batchNormalization({ name: 'head_second', scale: true }),
        layers.activation({ activation: 'relu', name: 'head_relu' }),
        layers.batchNormalization({ name: 'head_third' }),
        layers.activation({ activation: 'tanh', name: 'head_tanh' }),
        layers.dense({ units: CLASSES, useBias: false, name: 'head_logits' }),
        layers.batchNormalization({ name: 'head_last' }),
        layers.activation({ activation: 'softmax', name: 'head_probabilities' }),
      ],
    }),
  )

const classesOf = ({ topology }: HeadArtifacts): string[] => {
  const { config } = topology as { config: { layers: { class_name: string }[] } }
  return config.layers.map(({ class_name }) => class_name)
}

const written = async (artifacts: HeadArtifacts): Promise<string> => {
  const folder = join(await makeFolder(), 'model')
  await saveModelFolder(folder, artifacts)
  return folder
}

const predictions = async (artifacts: HeadArtifacts, x: Float32Array, rows = ROWS) => {
  const model = await openModelFolder(await written(artifacts))
  const outputs = model.predict(x, rows)
  model.close()
  return outputs
}

const maxDifference = (a: Float32Array, b: Float32Array): number => {
  expect(a).toHaveLength(b.length)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0)
}

/** Composes twice, checks that both predict the same and that the second has no normalisation. */
const check = async (request: ComposeRequest, rows = ROWS) => {
  const { numTensors } = core.memory()
  const plain = await composeModel(request)
  const { artifacts, folded, replaced } = await composeFoldedModel(request)
  const x = randomValues(rows * request.inputShape.reduce((a, b) => a * b, 1), 'x')
  const expected = await predictions(plain, x, rows)
  const found = await predictions(artifacts, x, rows)
  expect(core.memory().numTensors).toBe(numTensors)
  expect(classesOf(plain)).toContain('BatchNormalization')
  expect(JSON.stringify(artifacts.topology)).not.toContain('"class_name":"BatchNormalization"')
  expect(folded.length + replaced.length).toBe(
    classesOf(plain).filter((name) => name === 'BatchNormalization').length,
  )
  expect(new Set(expected).size).toBeGreaterThan(rows)
  expect(maxDifference(found, expected)).toBeLessThan(1e-5)
  return { plain, artifacts, folded, replaced, x }
}

/** A LayersModel in memory, in the loader's own form. */
const loaded = async ({ topology, weightSpecs, weights }: HeadArtifacts) =>
  loadLayersModel(
    core.io.fromMemory({
      modelTopology: topology as object,
      weightSpecs: weightSpecs as core.io.WeightsManifestEntry[],
      weightData: weights.slice().buffer,
    }),
  )

/**
 * One epoch of plain TF.js `fit` with everything frozen but the head's last layer, and a learning rate
 * that moves nothing: what `fit` computes is what `evaluate` computes, or a layer has two modes.
 */
const lossesOf = async (artifacts: HeadArtifacts, x: Float32Array, shape: readonly number[]) => {
  const model = await loaded(artifacts)
  for (const layer of model.layers) layer.trainable = layer.name === 'head_logits'
  model.compile({ optimizer: core.train.sgd(1e-9), loss: 'categoricalCrossentropy' })
  const inputs = core.tensor(x, [ROWS, ...shape])
  const labels = core.oneHot(
    core.tensor1d(
      Array.from({ length: ROWS }, (_, i) => i % CLASSES),
      'int32',
    ),
    CLASSES,
  )
  const history = await model.fit(inputs, labels, {
    epochs: 1,
    batchSize: ROWS / 2,
    shuffle: false,
    verbose: 0,
  })
  const evaluated = model.evaluate(inputs, labels, { batchSize: ROWS, verbose: 0 }) as core.Scalar
  const losses = { fit: Number(history.history.loss?.[0]), evaluate: evaluated.dataSync()[0] ?? 0 }
  core.dispose([inputs, labels, evaluated])
  freeWeights(model)
  return losses
}

const load = (name: keyof typeof BASES) => baseOf(fillWeights(BASES[name](), name))
const SHAPE = [8, 8, 3]

describe('a composed model without BatchNormalization predicts the same', () => {
  it.each<[keyof typeof BASES, string, ComposeRequest['pooling'], number, number, number]>([
    ['flat', 'act', 'avg', 4, 1, 0],
    ['flat', 'bn', 'none', 256, 1, 0],
    // What the normalisation gives is read twice.
    ['residual', 'out', 'avg', 4, 1, 0],
    ['nestedFirst', 'flatten', 'none', 256, 1, 0],
    ['nestedMiddle', 'last', 'max', 5, 2, 0],
    ['nestedTwice', 'end', 'avg', 6, 1, 1],
    ['sequentialMiddle', 'r3', 'avg', 6, 2, 0],
    // A convolution and its normalisation, each used twice.
    ['shared', 'end', 'avg', 6, 1, 0],
  ])('%s at %s, pooling %s', async (name, cut, pooling, width, folded, replaced) => {
    const base = await load(name)
    const request = { base, cut, pooling, inputShape: SHAPE, head: linear(width) }
    const found = await check(request)
    expect([found.folded.length, found.replaced.length]).toEqual([folded, replaced])
  })

  it('with a custom head: before a Dense layer, behind one, and where neither is next to it', async () => {
    const base = await load('flat')
    const head = normalised(4)
    const found = await check({ base, cut: 'act', pooling: 'avg', inputShape: SHAPE, head })
    expect(found.folded).toEqual(['bn', 'head_first', 'head_second', 'head_last'])
    expect(found.replaced).toEqual(['head_third'])
  })

  it('behind each kind of layer with a kernel, and behind an activation inside of one', async () => {
    const norm = () => layers.batchNormalization()
    const model = sequential({
      layers: [
        layers.conv2d({ filters: 4, kernelSize: 3, useBias: false, inputShape: [12, 12, 3] }),
        norm(),
        layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }),
        norm(),
        layers.separableConv2d({ filters: 5, kernelSize: 3 }),
        norm(),
        layers.conv2dTranspose({ filters: 4, kernelSize: 2 }),
        norm(),
        layers.conv2d({ filters: 6, kernelSize: 1, activation: 'relu' }),
        norm(),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.dense({ units: 4, name: 'dense' }),
        layers.batchNormalization({ name: 'last' }),
      ],
    })
    const base = await baseOf(fillWeights(model, 'kinds'))
    const head = linear(4)
    const found = await check({ base, cut: 'last', pooling: 'avg', inputShape: [12, 12, 3], head })
    expect([found.folded.length, found.replaced.length]).toEqual([5, 1])
  })

  it('where something else reads what the normalisation reads, too', async () => {
    const x = tfLayers.input({ shape: SHAPE, name: 'x' })
    const conv = layers
      .conv2d({ filters: 3, kernelSize: 3, name: 'conv' })
      .apply(x) as tfLayers.SymbolicTensor
    const norm = layers.batchNormalization({ name: 'norm' }).apply(conv) as tfLayers.SymbolicTensor
    const outputs = layers
      .concatenate({ name: 'both' })
      .apply([conv, norm]) as tfLayers.SymbolicTensor
    const base = await baseOf(fillWeights(tfLayers.model({ inputs: x, outputs }), 'two'))
    const request = { base, cut: 'both', inputShape: SHAPE, head: linear(6) }
    expect((await check({ ...request, pooling: 'avg' })).replaced).toEqual(['norm'])
  })

  it('over time, shared, and as the first layer of all', async () => {
    const model = sequential({
      layers: [
        layers.batchNormalization({ inputShape: [10, 2], name: 'b' }),
        layers.conv1d({ filters: 4, kernelSize: 3, name: 'c', activation: 'tanh' }),
        layers.batchNormalization({ name: 'd' }),
      ],
    })
    const base = await baseOf(fillWeights(model, 'time'))
    const request = { base, cut: 'd', inputShape: [10, 2], head: linear(4) }
    const found = await check({ ...request, pooling: 'avg' })
    expect(found.replaced).toEqual(['b', 'd'])
    const x = tfLayers.input({ shape: [7], name: 'x' })
    const shared = layers.batchNormalization({ name: 'shared' })
    const [a, b] = ['relu', 'sigmoid'].map((activation) =>
      shared.apply(
        layers.activation({ activation: activation as 'relu' }).apply(x) as tfLayers.SymbolicTensor,
      ),
    ) as [tfLayers.SymbolicTensor, tfLayers.SymbolicTensor]
    const outputs = layers.concatenate({ name: 'both' }).apply([a, b]) as tfLayers.SymbolicTensor
    const twice = await baseOf(fillWeights(tfLayers.model({ inputs: x, outputs }), 'twice'))
    const rows = await check({
      base: twice,
      cut: 'both',
      pooling: 'none',
      inputShape: [7],
      head: linear(14),
    })
    expect(rows.replaced).toEqual(['shared'])
  })

  it('is the same bytes each time, and leaves the base as it was', async () => {
    const base = await load('nestedTwice')
    const before = Buffer.from(base.weights).toString('base64')
    const request = { base, cut: 'end', inputShape: SHAPE, head: normalised(6) }
    const [first, second] = [
      await composeFoldedModel({ ...request, pooling: 'avg' }),
      await composeFoldedModel({ ...request, pooling: 'avg' }),
    ]
    expect(second).toEqual(first)
    expect(Buffer.from(base.weights).toString('base64')).toBe(before)
  })
})

describe('a later fit', () => {
  it('of a folded model computes what evaluate computes; of a plain one it does not', async () => {
    const base = await load('nestedMiddle')
    const request = { base, cut: 'last', inputShape: SHAPE, head: linear(5) }
    const { plain, artifacts, x } = await check({ ...request, pooling: 'avg' })
    const before = await lossesOf(plain, x, SHAPE)
    const after = await lossesOf(artifacts, x, SHAPE)
    expect(Math.abs(before.fit - before.evaluate)).toBeGreaterThan(1e-3)
    expect(Math.abs(after.fit - after.evaluate)).toBeLessThan(1e-5)
  })

  it('the same with the tiny base of a converter, whose normalisation follows a ReLU', async () => {
    const { model, weights } = await tinyBaseInMemory()
    const base = assembleTfjsBase(
      parseModelJson(Buffer.from(JSON.stringify(model))),
      new Map([['weights.bin', weights]]),
    )
    const request = { base, cut: 'pool', inputShape: SHAPE, head: linear(4) }
    const { plain, artifacts, replaced, x } = await check({ ...request, pooling: 'none' })
    expect(replaced).toEqual(['bn'])
    const [before, after] = [await lossesOf(plain, x, SHAPE), await lossesOf(artifacts, x, SHAPE)]
    expect(Math.abs(before.fit - before.evaluate)).toBeGreaterThan(1e-3)
    expect(Math.abs(after.fit - after.evaluate)).toBeLessThan(1e-5)
  })
})

describe('what cannot be folded is refused with its name', () => {
  const refused = async (base: TfjsBase, cut: string, width: number, shape: readonly number[]) =>
    composeFoldedModel({ base, cut, pooling: 'none', inputShape: shape, head: linear(width) })

  it('a normalisation inside of a wrapper, and one along another axis', async () => {
    const wrapped = sequential({
      layers: [
        layers.timeDistributed({
          layer: layers.batchNormalization() as tfLayers.layers.Layer,
          inputShape: [4, 2],
          name: 'wrapper',
        }),
      ],
    })
    await expect(
      refused(await baseOf(fillWeights(wrapped, 'w')), 'wrapper', 8, [4, 2]),
    ).rejects.toMatchObject({ code: 'EXPORT_IMPOSSIBLE', message: /wrapper.*inside/ })
    const other = sequential({
      layers: [layers.batchNormalization({ axis: 1, inputShape: [4, 2], name: 'rows' })],
    })
    await expect(
      refused(await baseOf(fillWeights(other, 'o')), 'rows', 8, [4, 2]),
    ).rejects.toMatchObject({ code: 'EXPORT_IMPOSSIBLE', message: /rows.*axis/ })
  })
})

describe('the real MobileNetV2', { timeout: 300_000 }, () => {
  it('loses its 52 normalisations, predicts the same, and fit computes what evaluate computes', async () => {
    const folder = join(await makeFolder(), 'base')
    await prepareBase('mobilenet_v2', folder)
    const { files } = await readBaseSource(folder)
    const base = assembleTfjsBase(
      parseModelJson(files.get('model.json') ?? new Uint8Array(0)),
      files,
    )
    const shape = [224, 224, 3]
    const head = linear(1280)
    const request = { base, cut: 'flatten_1', inputShape: shape, head }
    const { plain, artifacts, folded, replaced, x } = await check({ ...request, pooling: 'none' })
    expect([folded.length, replaced.length]).toEqual([52, 0])
    const before = await lossesOf(plain, x, shape)
    const after = await lossesOf(artifacts, x, shape)
    expect(Math.abs(before.fit - before.evaluate)).toBeGreaterThan(1e-2)
    expect(Math.abs(after.fit - after.evaluate)).toBeLessThan(1e-5)
  })
})
