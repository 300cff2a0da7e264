import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as core from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { OnnxBase } from '../../../src/extractor/base/loaded-base.js'
import { openOnnxFile } from '../../../src/extractor/engines/onnxruntime-file.js'
import { createNormalise } from '../../../src/extractor/normalise.js'
import { parseOnnxModel, serialiseOnnxModel } from '../../../src/extractor/onnx/model.js'
import type { ExtractorSpec } from '../../../src/extractor/spec.js'
import { headArtifactsOf, readWeights } from '../../../src/head/artifacts.js'
import { ensureHeadBackend } from '../../../src/head/backend.js'
import { compileHead } from '../../../src/head/onnx-head.js'
import { openHead } from '../../../src/head/predict-head.js'
import type { HeadArtifacts } from '../../../src/head/types.js'
import { composeOnnx } from '../../../src/model/onnx-export/compose.js'
import { fitOperators } from '../../../src/model/onnx-export/fit-operators.js'
import { renameTensors } from '../../../src/model/onnx-export/rename.js'
import { fillWeights, freeWeights } from '../../head/models.js'
import { makeFolder } from '../../support/folders.js'
import {
  baseOf,
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
} from '../../support/onnx-models.js'

beforeAll(() => ensureHeadBackend())

const headFrom = (model: LayersModel): HeadArtifacts => {
  fillWeights(model, 'head')
  const artifacts = headArtifactsOf(model, readWeights(model))
  freeWeights(model)
  return artifacts
}

const linear = (width: number): HeadArtifacts =>
  headFrom(
    sequential({
      layers: [
        layers.dense({ units: 3, inputShape: [width], activation: 'softmax', name: 'logits' }),
      ],
    }),
  )

/** Layers whose operators changed between the versions, on features with axes of their own. */
const pooling = (shape: number[]): HeadArtifacts =>
  headFrom(
    sequential({
      layers: [
        layers.globalAveragePooling1d({ inputShape: shape }),
        layers.batchNormalization(),
        layers.dense({ units: 3, activation: 'relu6' }),
        layers.activation({ activation: 'softmax' }),
      ],
    }),
  )

/** The images as the base takes them, [5, ...]; those of channels first in that order. */
const imageValues = (layout: string | null): Float32Array => {
  const side = SIDE * SIDE * 3
  const normalise = createNormalise(IMAGE_INPUT)
  const values = new Float32Array(SAMPLES * side)
  for (let i = 0; i < SAMPLES; i += 1) {
    const last = normalise(PIXELS.slice(i * side, (i + 1) * side))
    const at = (k: number): number =>
      layout === 'channels-first' ? (k % (SIDE * SIDE)) * 3 + Math.floor(k / (SIDE * SIDE)) : k
    for (let k = 0; k < side; k += 1) values[i * side + k] = last[at(k)] ?? Number.NaN
  }
  return values
}

interface Case {
  readonly base: OnnxBase
  readonly cut: string
  readonly pooling?: ExtractorSpec['pooling']
  readonly cutRank: number
  readonly featureShape: number[]
  readonly head: HeadArtifacts
  readonly rows?: boolean
}

const inputOf = ({ rows = false }: Case): ExtractorSpec['input'] =>
  rows ? (ROW_INPUT as ExtractorSpec['input']) : IMAGE_INPUT

const composed = async (given: Case) => {
  const { base, cut, pooling: pooled = 'none', cutRank, featureShape, head } = given
  const extractor = { cut, pooling: pooled, input: inputOf(given), featureShape }
  const { numTensors } = core.memory()
  const compiled = await compileHead(head)
  expect(core.memory().numTensors).toBe(numTensors)
  return composeOnnx({ base, extractor, cutRank, head: compiled, output: 'probabilities' })
}

/** The written file against the engine of the extractor and the head. @returns what was composed. */
const check = async (given: Case) => {
  const file = await composed(given)
  const { base, cut, pooling: pooled = 'none', head, rows = false } = given
  const path = join(await makeFolder(), 'model.onnx')
  await writeFile(path, file.bytes)
  const opened = await openOnnxFile(path)
  expect([opened.inputs, opened.outputs]).toEqual([['input'], ['probabilities']])
  const count = rows ? 3 : SAMPLES
  const values = rows ? ROWS : imageValues(file.layout)
  const width = values.length / count
  const size = file.batch ?? count
  const found: number[] = []
  for (let i = 0; i < count; i += size)
    found.push(
      ...(await opened.run(values.slice(i * width, (i + size) * width), [
        size,
        ...file.inputShape,
      ])),
    )
  // Any number of samples, unless the base says otherwise.
  if (file.batch === null) {
    const alone = await opened.run(values.slice(0, width), [1, ...file.inputShape])
    expect(maxDifference(alone, found.slice(0, alone.length))).toBeLessThan(1e-6)
  }
  await opened.close()
  const engine = await openOnnx(base, { cut, pooling: pooled, input: inputOf(given) })
  const features = await engine.run(rows ? ROWS : PIXELS, count)
  const predictor = await openHead(head)
  const expected = predictor.predict(features.values, count)
  predictor.close()
  expect(new Set(expected).size).toBeGreaterThan(count)
  expect(maxDifference(found, expected)).toBeLessThan(1e-5)
  return file
}

describe('a composed ONNX model predicts what base and head predict one after the other', () => {
  it('of torch, pooled: channels first, any number of samples, operators of version 20', async () => {
    const base = onnxBase('torch')
    const given = { base, cut: 'maps', pooling: 'avg' as const, cutRank: 4, featureShape: [20] }
    const file = await check({ ...given, head: linear(20) })
    expect(file).toMatchObject({
      layout: 'channels-first',
      batch: null,
      inputShape: [3, SIDE, SIDE],
      operators: 20,
    })
    await check({ ...given, pooling: 'none', featureShape: [20, 5, 5], head: linear(500) })
  })

  it('of an older version, one image at a time', async () => {
    const base = onnxBase('torch-batch1')
    const given = { base, cut: 'maps', pooling: 'avg' as const, cutRank: 4, featureShape: [20] }
    const file = await check({ ...given, head: linear(20) })
    expect(file).toMatchObject({ batch: 1, operators: 13 })
  })

  it('of one that takes images of any size, and of one with channels last', async () => {
    await check({
      base: onnxBase('torch-any-size'),
      cut: 'features',
      cutRank: 2,
      featureShape: [20],
      head: linear(20),
    })
    const file = await check({
      base: onnxBase('channels-last'),
      cut: 'maps',
      pooling: 'max',
      cutRank: 4,
      featureShape: [6],
      head: linear(6),
    })
    expect(file.layout).toBe('channels-last')
  })

  it('of rows in float16 and double, and of one with branches inside', async () => {
    const given = { rows: true, cut: 'out', cutRank: 2 }
    for (const [name, width] of [
      ['double', 3],
      ['branches', 4],
      ['float16', 3],
    ] as const)
      await check({ ...given, base: onnxBase(name), featureShape: [width], head: linear(width) })
  })

  it('of tokens, whose axes the head takes itself, under operators before and after version 18', async () => {
    const given = { rows: true, cut: 'tokens', cutRank: 3, featureShape: [6, 5] }
    const head = pooling([6, 5])
    await check({ ...given, base: onnxBase('tokens'), head })
    const model = onnxModel('tokens')
    for (const version of [13n, 18n]) {
      for (const entry of model.opsetImport) entry.version = version
      const file = await check({ ...given, base: baseOf(serialiseOnnxModel(model)), head })
      expect(file.operators).toBe(Number(version))
    }
  })

  it('of a base that uses our names for something else', async () => {
    const names: Readonly<Record<string, string>> = {
      rows: 'probabilities',
      inner: 'input',
      chosen: 'head/input',
      factor: 'headstart/cut',
      out: 'base/input',
    }
    const model = renameTensors(onnxModel('branches'), (name) => names[name] ?? name)
    const base = baseOf(serialiseOnnxModel(model))
    const given = { rows: true, cutRank: 2, featureShape: [4], head: linear(4), base }
    await check({ ...given, cut: 'base/input' })
    await check({ ...given, cut: 'head/input' })
  })

  it('of a base that is such a model itself', async () => {
    const first = await composed({
      base: onnxBase('branches'),
      rows: true,
      cut: 'out',
      cutRank: 2,
      featureShape: [4],
      head: linear(4),
    })
    const base = baseOf(first.bytes)
    const again = { base, rows: true, cutRank: 2, featureShape: [3], head: linear(3) }
    await check({ ...again, cut: 'probabilities' })
  })

  it('is the same bytes each time', async () => {
    const given = { base: onnxBase('torch'), cut: 'features', cutRank: 2, featureShape: [20] }
    const [a, b] = [linear(20), linear(20)]
    const first = await composed({ ...given, head: a })
    expect((await composed({ ...given, head: b })).bytes).toEqual(first.bytes)
  })
})

describe('what cannot be written as ONNX is refused with its reason', () => {
  it('a layer of the head without a counterpart', async () => {
    const recurrent = headFrom(
      sequential({
        layers: [
          layers.gru({ units: 3, inputShape: [6, 5], recurrentInitializer: 'zeros', name: 'loop' }),
        ],
      }),
    )
    const { numTensors } = core.memory()
    await expect(compileHead(recurrent)).rejects.toMatchObject({
      code: 'EXPORT_IMPOSSIBLE',
      message: /loop.*GRU/,
    })
    expect(core.memory().numTensors).toBe(numTensors)
  })

  it('operators that the version of the base lacks', async () => {
    const head = headFrom(
      sequential({
        layers: [
          layers.layerNormalization({ inputShape: [4], name: 'n' }),
          layers.dense({ units: 2 }),
        ],
      }),
    )
    const { bytes } = await compileHead(head)
    const graph = parseOnnxModel(bytes)
    expect(() => fitOperators(graph, 13)).toThrow(/LayerNormalization of operator version 17/)
    expect(fitOperators(graph, 17)).toBe(graph)
  })
})
