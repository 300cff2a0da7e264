import { describe, expect, it } from 'vitest'
import { type CardFacts, describeModel, modelCardSchema } from '../../src/model/card.js'
import { writeCard } from '../../src/model/card-text.js'
import { recordOf, SINGLE } from './records.js'

const check = { maxAbsDiff: 1e-7, tolerance: 1e-5 }
const facts: CardFacts = {
  files: {
    head: 'head/model.json',
    model: 'model/model.json',
    onnx: {
      path: 'model.onnx',
      input: { name: 'input', shape: [20, 30, 3], layout: 'channels-last', samples: null },
      output: { name: 'probabilities', shape: [2] },
      operators: 17,
    },
    samples: {
      count: 8,
      input: 'samples/input.npy',
      features: 'samples/features.npy',
      expected: 'samples/expected.npy',
    },
    all: [{ path: 'head/model.json', bytes: 10, sha256: '8'.repeat(64) }],
  },
  notExported: [],
  foldedBatchNormalization: null,
  exportCheck: {
    samples: 8,
    maxAbsDiff: 1e-7,
    files: [
      { path: 'model/model.json', loadedWith: 'tf.loadLayersModel', ...check },
      { path: 'model.onnx', loadedWith: 'onnxruntime', ...check },
    ],
  },
  headInputShape: [8],
  exportedBy: 'headstart 0.1.0',
}
const headOnly: CardFacts = {
  ...facts,
  files: { ...facts.files, model: null, onnx: null, samples: null },
  notExported: [
    { part: 'model', reason: 'the base is no LayersModel' },
    { part: 'onnx', reason: 'the head has no form' },
  ],
}

const image = recordOf()
const cardOf = (changes: Parameters<typeof recordOf>[0] = {}, given = facts) =>
  describeModel(recordOf(changes), given)

describe('a model card', () => {
  it('carries everything that the run says of itself', () => {
    const card = cardOf()
    expect(modelCardSchema.parse(JSON.parse(JSON.stringify(card)))).toEqual(card)
    expect(card).toMatchObject({
      target: image.target,
      extractor: image.extractor,
      metrics: image.metrics,
      parity: image.parity,
      exportCheck: facts.exportCheck,
      data: { samples: { train: 300, validation: 40, test: 40 }, quarantined: 2 },
      lineage: {
        runId: image.runId,
        base: { id: image.base.id, from: './mobilenet_v2', format: 'layers-model' },
        extractors: image.extractors,
        datasetId: image.dataset.datasetId,
        contentId: image.dataset.contentId,
        head: image.head,
        seed: 1,
      },
      versions: { headstart: '0.1.0', engine: 'wasm: tfjs 4.22.0', exportedBy: 'headstart 0.1.0' },
    })
  })

  it('says what was not measured', () => {
    const limits = (...args: Parameters<typeof cardOf>) => cardOf(...args).limits.join('\n')
    expect(limits()).toMatch(/Fewer than 30 measured samples each: c_d\./)
    expect(limits()).toMatch(/2 samples could not be decoded/)
    expect(limits()).not.toMatch(/test split|optimistic|Not exported|augmented/)
    expect(limits({ metrics: { train: SINGLE } })).toMatch(/no test split/)
    expect(limits({ stoppedEarly: true })).toMatch(/optimistic/)
    expect(limits({}, headOnly)).toMatch(/Not exported: base and head as one TF.js model; the base/)
  })
})

describe('the text of a card', () => {
  it('has how to feed the model, in words and in code', () => {
    const text = writeCard(cardOf())
    expect(text).toContain('20 x 30 (height x width)')
    expect(text).toContain('blue, green, red')
    expect(text).toContain('[-103.939, -116.779, -123.68]')
    expect(text).toContain("resize({ width: 30, height: 20, fit: 'cover', kernel: 'lanczos3'")
    expect(text).toContain('const source = [2,1,0]')
    expect(text).toContain('tf.tensor(values, [1,20,30,3])')
  })

  it('has counts, results, each class, parity, lineage and versions', () => {
    const text = writeCard(cardOf())
    expect(text).toContain('| 300 | 40 | 40 | 2 |')
    expect(text).toContain('| test | 40 | 0.7500 | 1.0000 | 0.7000 | 0.5000 |')
    expect(text.match(/### (train|validation|test)/g)).toHaveLength(3)
    expect(text).toContain('every bit agreed')
    for (const id of [image.runId, image.base.id, image.dataset.datasetId, '4', '5'])
      expect(text).toContain(id.padEnd(64, id))
    expect(text).toContain('| node | v20 |')
  })

  it('does not let a name end a cell or begin markup', () => {
    const text = writeCard(cardOf())
    expect(text).toContain('| a\\|b | 0.8000 |')
    expect(text).toContain('| c\\_d | 0.6000 |')
    for (const line of text.split('\n').filter((row) => row.startsWith('| a\\|b')))
      expect(line.replaceAll('\\|', '').split('|')).toHaveLength(7)
    const nasty = '<img src=x>`\n# h\n```'
    const other = writeCard(
      cardOf({
        target: { kind: 'single', classes: [nasty, 'b'] },
        base: { ...image.base, from: nasty },
      }),
    )
    expect(other).not.toMatch(/^# h/m)
    // JavaScript and Python, each opened and closed.
    expect(other.match(/^```/gm)).toHaveLength(4)
  })

  it('of rows and outputs needs no image code', () => {
    const regression = {
      kind: 'regression',
      samples: 5,
      loss: 1,
      mae: 2,
      rmse: 3,
      r2: 0.4,
      perOutput: [{ name: 'price', mae: 2, rmse: 3, r2: 0.4 }],
    } as const
    const input = { kind: 'tensor', dtype: 'float32', shape: [6] } as const
    const text = writeCard(
      cardOf({
        target: { kind: 'regression', outputs: ['price'] },
        metrics: { test: { ...regression, perOutput: [...regression.perOutput] } },
        extractor: { ...image.extractor, input: { ...input, shape: [...input.shape] } },
      }),
    )
    expect(text).not.toContain('sharp')
    expect(text).toContain('new Float32Array(6)')
    expect(text).toContain('| test | 5 | 2.0000 | 3.0000 | 0.4000 | 1.0000 |')
    expect(text).toContain('| price | 2.0000 | 3.0000 | 0.4000 |')
  })

  it('says how to run the ONNX model, what the samples are, and what was loaded with what', () => {
    const folded = { ...facts, foldedBatchNormalization: { folded: 52, replaced: 1 } }
    const text = writeCard(cardOf({}, folded))
    expect(text).toContain('session.run(None, {"input": values})')
    expect(text).toContain('float32 [samples, 20, 30, 3], any number of samples')
    expect(text).toContain('in the order height, width, channels')
    expect(text).toContain('`samples/expected.npy` what the run predicts')
    expect(text).toContain('`model.onnx` was loaded again with plain `onnxruntime`')
    expect(text).toContain('52 were folded into the layer beside them, 1 became')
  })

  it('of a base that cannot be composed has no code for a model that is not there', () => {
    const text = writeCard(cardOf({}, headOnly))
    expect(text).not.toContain('loadLayersModel(')
    expect(text).not.toContain('session.run(')
    expect(text).toContain('Reason: the base is no LayersModel.')
    expect(text).toContain('Reason: the head has no form.')
  })
})
