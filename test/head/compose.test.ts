import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as converter from '@tensorflow/tfjs-converter'
import * as core from '@tensorflow/tfjs-core'
import * as tfLayers from '@tensorflow/tfjs-layers'
import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TfjsBase } from '../../src/extractor/base/loaded-base.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import { loadTfjsModel } from '../../src/extractor/engines/tfjs.js'
import { cutLayersModel } from '../../src/extractor/engines/tfjs-cut.js'
import { createTfjsEngine } from '../../src/extractor/engines/tfjs-engine.js'
import type { ExtractorSpec } from '../../src/extractor/spec.js'
import { headArtifactsOf, readWeights } from '../../src/head/artifacts.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { composeModel } from '../../src/head/compose.js'
import { openModelFolder, saveModelFolder } from '../../src/head/model-files.js'
import { openHead } from '../../src/head/predict-head.js'
import type { HeadArtifacts } from '../../src/head/types.js'
import { BASES, baseOf, fillWeights, freeWeights, randomValues } from './models.js'

const tf = { core, layers: tfLayers, converter }
const ROWS = 3
let folder = ''

beforeAll(async () => {
  await ensureHeadBackend()
  folder = await mkdtemp(join(tmpdir(), 'compose-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A head with weights of its own; the model is freed. */
const headFrom = (model: tfLayers.LayersModel): HeadArtifacts => {
  fillWeights(model, 'head')
  const artifacts = headArtifactsOf(model, readWeights(model))
  freeWeights(model)
  return artifacts
}

const linear = (width: number, name = 'head_logits', classes = 4): HeadArtifacts =>
  headFrom(
    sequential({
      layers: [
        layers.dense({ units: classes, inputShape: [width], name }),
        layers.activation({ activation: 'softmax', name: `${name}_softmax` }),
      ],
    }),
  )

type Pooling = ExtractorSpec['pooling']
const engineInfo = { engine: 'wasm', version: '', device: '' }

/** What the two stages give: the engine of the extractor, then the head. */
const twoStages = async (request: {
  readonly base: TfjsBase
  readonly cut: string
  readonly pooling: Pooling
  readonly inputShape: readonly number[]
  readonly head: HeadArtifacts
  readonly x: Float32Array
}): Promise<Float32Array> => {
  const { base, cut, pooling, inputShape } = request
  const engine = await createTfjsEngine(
    tf,
    engineInfo,
    {
      base,
      cut,
      pooling,
      engine: 'wasm',
      settings: DEFAULT_ENGINE_SETTINGS,
      precision: 'fp32',
      fixedBatch: null,
      input: { kind: 'tensor', dtype: 'float32', shape: [...inputShape] },
      intraThreads: 1,
    },
    base,
  )
  const { values } = await engine.run(request.x, ROWS)
  const head = await openHead(request.head)
  const outputs = head.predict(values, ROWS)
  head.close()
  return outputs
}

const layerNames = (topology: unknown): string[] => {
  const { config } = topology as { config: { layers: { name: string; class_name: string }[] } }
  return config.layers.map(({ name }) => name)
}

let counter = 0
/** Composes, writes, loads again plainly and compares with the two stages, bit by bit. */
const check = async (
  base: TfjsBase,
  cut: string,
  pooling: Pooling,
  head: HeadArtifacts,
  inputShape: readonly number[] = [8, 8, 3],
): Promise<{ readonly artifacts: HeadArtifacts; readonly names: string[] }> => {
  const before = core.memory().numTensors
  const artifacts = await composeModel({ base, cut, pooling, inputShape, head })
  expect(core.memory().numTensors).toBe(before)
  const names = layerNames(artifacts.topology)
  expect(new Set(names).size).toBe(names.length)
  counter += 1
  const target = join(folder, String(counter))
  await saveModelFolder(target, artifacts)
  const opened = await openModelFolder(target)
  expect(opened.inputShape).toEqual(inputShape)
  const x = randomValues(ROWS * inputShape.reduce((a, b) => a * b, 1), 'x')
  const actual = opened.predict(x, ROWS)
  opened.close()
  expect(core.memory().numTensors).toBe(before)
  const expected = await twoStages({ base, cut, pooling, inputShape, head, x })
  expect(actual).toEqual(expected)
  // A check with power: rows differ from each other.
  expect(new Set(actual).size).toBeGreaterThan(ROWS)
  return { artifacts, names }
}

const load = (name: keyof typeof BASES) => baseOf(fillWeights(BASES[name](), name))

describe('a composed model predicts what base and head predict one after the other', () => {
  it.each<[keyof typeof BASES, string, Pooling, number]>([
    ['flat', 'act', 'avg', 4],
    ['flat', 'act', 'max', 4],
    ['flat', 'act', 'none', 8 * 8 * 4],
    ['flat', 'gap', 'avg', 4],
    ['flat', 'dense', 'none', 5],
    ['residual', 'out', 'avg', 4],
    ['nestedFirst', 'inner', 'avg', 4],
    ['nestedFirst', 'inner/inner_bn', 'max', 4],
    ['nestedFirst', 'flatten', 'none', 256],
    ['nestedMiddle', 'model2', 'avg', 5],
    ['nestedMiddle', 'model2/model2_bn', 'avg', 5],
    ['nestedMiddle', 'model1/model1_conv', 'avg', 4],
    ['nestedMiddle', 'last', 'none', 320],
    ['nestedTwice', 'outer/deep', 'avg', 6],
    ['nestedTwice', 'outer/deep/deep_conv', 'avg', 6],
    ['nestedTwice', 'end', 'max', 6],
    ['sequentialFirst', 'body/n1', 'avg', 4],
    ['sequentialFirst', 'flat', 'none', 320],
    ['sequentialMiddle', 'body/core/c2', 'avg', 5],
    ['sequentialMiddle', 'body/part/part_bn', 'avg', 6],
    ['sequentialMiddle', 'r3', 'avg', 6],
    ['shared', 'end', 'avg', 6],
    ['shared', 'tower/tower_relu', 'avg', 3],
    ['towers', 'relu', 'avg', 6],
  ])('%s at %s, pooling %s', async (name, cut, pooling, width) => {
    await check(await load(name), cut, pooling, linear(width))
  })

  it('keeps the weights of shared layers once', async () => {
    const { artifacts } = await check(await load('shared'), 'end', 'avg', linear(6))
    const kernels = artifacts.weightSpecs.filter(({ name }) => name.endsWith('/kernel'))
    expect(kernels.map(({ name }) => name).sort()).toEqual([
      'head_logits/kernel',
      'once/kernel',
      'tower_conv/kernel',
    ])
  })

  it('leaves out what lies behind the cut', async () => {
    const { names } = await check(await load('flat'), 'bn', 'avg', linear(4))
    expect(names).toEqual([
      'flat_input',
      'conv',
      'bn',
      'features_avg',
      'head_logits',
      'head_logits_softmax',
    ])
  })

  it('renames a layer of the head that a layer of the base, nested ones too, is called like', async () => {
    const flat = await check(await load('flat'), 'dense', 'none', linear(5, 'dense'))
    expect(flat.names).toEqual(expect.arrayContaining(['dense', 'dense_1']))
    const deep = await check(
      await load('nestedTwice'),
      'outer/deep/deep_bn',
      'avg',
      linear(6, 'deep_bn'),
    )
    expect(deep.names).toEqual(expect.arrayContaining(['deep_bn', 'deep_bn_1']))
    const towers = await check(await load('towers'), 'relu', 'avg', linear(6))
    expect(towers.names.filter((name) => name.startsWith('relu'))).toHaveLength(3)
  })

  it('gives a custom head features in their own shape, nested and wrapped layers too', async () => {
    const shaped = sequential({
      layers: [
        sequential({
          layers: [layers.conv2d({ filters: 2, kernelSize: 2, inputShape: [8, 8, 4] })],
        }) as tfLayers.layers.Layer,
        layers.timeDistributed({ layer: layers.flatten() as tfLayers.layers.Layer }),
        layers.bidirectional({
          layer: layers.gru({ units: 3, recurrentInitializer: 'zeros' }) as never,
          mergeMode: 'concat',
        }),
        layers.dropout({ rate: 0.5 }),
        layers.batchNormalization(),
        layers.dense({ units: 3, activation: 'softmax' }),
      ],
    })
    await check(await load('flat'), 'act', 'none', headFrom(shaped))
  })

  it('pools and flattens rows over time', async () => {
    const model = sequential({
      layers: [
        layers.conv1d({ filters: 4, kernelSize: 3, inputShape: [10, 2], name: 'c' }),
        layers.lstm({ units: 5, returnSequences: true, recurrentInitializer: 'zeros', name: 'l' }),
      ],
    })
    const base = await baseOf(fillWeights(model, 'rows'))
    await check(base, 'c', 'avg', linear(4), [10, 2])
    await check(base, 'l', 'max', linear(5), [10, 2])
    await check(base, 'l', 'none', linear(40), [10, 2])
  })

  it('fixes the input size of a base that takes any', async () => {
    const model = sequential({
      layers: [
        layers.conv2d({
          filters: 3,
          kernelSize: 3,
          strides: 2,
          inputShape: [null, null, 3] as never,
        }),
        layers.reLU({ name: 'r' }),
      ],
    })
    const base = await baseOf(fillWeights(model, 'any'))
    await check(base, 'r', 'none', linear(3 * 3 * 3), [8, 8, 3])
    await check(base, 'r', 'avg', linear(3), [12, 10, 3])
  })

  it('reads a Keras 3 topology and writes one that plain TF.js reads', async () => {
    const base = await load('flat')
    const text = JSON.stringify(base.topology).replaceAll('batch_input_shape', 'batch_shape')
    await check({ ...base, topology: JSON.parse(text) as unknown }, 'act', 'avg', linear(4))
  })
})

describe('what cannot be composed', () => {
  it('a pooling over three axes', async () => {
    const model = sequential({
      layers: [
        layers.conv3d({ filters: 2, kernelSize: 2, inputShape: [4, 4, 4, 1], name: 'c' }),
        layers.flatten({ name: 'f' }),
      ],
    })
    const base = await baseOf(fillWeights(model, 'volume'))
    const request = { base, cut: 'c', inputShape: [4, 4, 4, 1] }
    const { numTensors } = core.memory()
    await expect(
      composeModel({ ...request, pooling: 'avg', head: linear(2) }),
    ).rejects.toMatchObject({ code: 'CUT_UNUSABLE' })
    expect(core.memory().numTensors).toBe(numTensors)
    const composed = await composeModel({ ...request, pooling: 'none', head: linear(54) })
    expect(layerNames(composed.topology)).toContain('features_flat')
  })

  it('a head that does not fit, a cut that does not exist, a GraphModel', async () => {
    const base = await load('flat')
    const request = { base, cut: 'act', pooling: 'avg', inputShape: [8, 8, 3] } as const
    const { numTensors } = core.memory()
    const codes = ['EXPORT_FAILED', 'CUT_NOT_FOUND', 'CUT_UNUSABLE']
    const requests = [
      { ...request, head: linear(7) },
      { ...request, cut: 'no', head: linear(4) },
      { ...request, base: { ...base, format: 'graph-model' as const }, head: linear(4) },
    ]
    for (const [index, bad] of requests.entries())
      await expect(composeModel(bad)).rejects.toMatchObject({ code: codes[index] })
    expect(core.memory().numTensors).toBe(numTensors)
  })
})

describe('a model folder', () => {
  it('holds weight files up to the limit, which a plain loader joins over HTTP', async () => {
    const base = await load('flat')
    const head = linear(4)
    const artifacts = await composeModel({
      base,
      cut: 'act',
      pooling: 'avg',
      inputShape: [8, 8, 3],
      head,
    })
    const target = join(folder, 'shards')
    const files = await saveModelFolder(target, artifacts, { maxFileBytes: 100 })
    expect(files.slice(0, 3)).toEqual(['model.json', 'weights-1of6.bin', 'weights-2of6.bin'])
    const parts = await Promise.all(files.slice(1).map((file) => readFile(join(target, file))))
    expect(Buffer.concat(parts)).toEqual(Buffer.from(artifacts.weights))
    const server = createServer((request, response) => {
      readFile(join(target, request.url ?? '')).then((bytes) => response.end(bytes))
    })
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done)
    })
    const { port } = server.address() as AddressInfo
    const plain = await loadLayersModel(`http://127.0.0.1:${port}/model.json`)
    const x = randomValues(ROWS * 192, 'x')
    const input = core.tensor(x, [ROWS, 8, 8, 3])
    const output = plain.predict(input) as core.Tensor
    const expected = await twoStages({
      base,
      cut: 'act',
      pooling: 'avg',
      inputShape: [8, 8, 3],
      head,
      x,
    })
    expect(output.dataSync()).toEqual(expected)
    core.dispose([input, output])
    freeWeights(plain)
    await new Promise((done) => {
      server.close(done)
    })
  })

  it('does not open with a weight file that is cut short or whose values are others', async () => {
    const target = join(folder, 'broken')
    await saveModelFolder(target, linear(4))
    const bytes = await readFile(join(target, 'weights.bin'))
    await writeFile(join(target, 'weights.bin'), bytes.subarray(0, -4))
    await expect(openModelFolder(target)).rejects.toThrow()
  })
})

describe('the base', () => {
  it('has the same weights after it was composed', async () => {
    const base = await load('nestedMiddle')
    const before = Buffer.from(base.weights).toString('base64')
    await composeModel({
      base,
      cut: 'last',
      pooling: 'avg',
      inputShape: [8, 8, 3],
      head: linear(5),
    })
    expect(Buffer.from(base.weights).toString('base64')).toBe(before)
    const loaded = await loadTfjsModel(tf, base)
    if (loaded.format === 'layers-model') {
      expect(cutLayersModel(tf, loaded.model, 'last').outputs[0]?.shape).toEqual([null, 8, 8, 5])
      freeWeights(loaded.model)
    }
  })
})
