import * as tf from '@tensorflow/tfjs-core'
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Split, Target } from '../../src/dataset/types.js'
import { assertHeadFits, type FitRequest } from '../../src/head/assert-fits.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import type { HeadSpec } from '../../src/head/spec.js'
import { specOf } from './synthetic.js'

beforeAll(ensureHeadBackend)

const single: Target = { kind: 'single', classes: ['a', 'b', 'c'] }
const regression: Target = { kind: 'regression', outputs: ['y'] }
const all: ReadonlySet<Split> = new Set(['train', 'validation', 'test'])

const customOf = (topology: object): HeadSpec =>
  specOf({ kind: 'custom', topology } as Parameters<typeof specOf>[0])

/** The model itself is freed. */
const specFrom = (model: LayersModel): HeadSpec => {
  const topology = JSON.parse(JSON.stringify(model.toJSON(null, false))) as object
  model.dispose()
  return customOf(topology)
}
const stack = (...made: layers.Layer[]): LayersModel => sequential({ layers: made })
const dense = (units: number, activation: 'softmax' | 'sigmoid' | 'relu' = 'relu') =>
  layers.dense({ units, activation, inputShape: [16] })

const tryFit = (spec: HeadSpec, rest: Partial<FitRequest> = {}) =>
  assertHeadFits({ spec, featureShape: [16], target: single, splits: all, ...rest })

describe('a head before extraction', () => {
  it.each<[string, () => HeadSpec, Partial<FitRequest>]>([
    ['linear', () => specOf({ kind: 'linear', earlyStopping: { patience: 2 } }), {}],
    ['mlp', () => specOf({ kind: 'mlp', classWeights: { a: 2 } }), { featureShape: [7, 7, 320] }],
    ['linear for a regression', () => specOf({ kind: 'linear' }), { target: regression }],
    ['custom', () => specFrom(stack(dense(8), layers.dense({ units: 3 }))), {}],
    [
      'custom with batch normalization, dropout and the real feature shape',
      () =>
        specFrom(
          stack(
            layers.flatten({ inputShape: [2, 8] }),
            layers.batchNormalization(),
            layers.dropout({ rate: 0.5 }),
            layers.dense({ units: 3, activation: 'softmax' }),
          ),
        ),
      { featureShape: [2, 8] },
    ],
    [
      'custom without a validation split',
      () => specFrom(stack(dense(3, 'softmax'))),
      { splits: new Set(['train']) },
    ],
  ])('that fits is let through and leaves no tensor: %s', async (_, make, rest) => {
    const spec = make()
    const { numTensors } = tf.memory()
    await tryFit(spec, rest)
    await tryFit(spec, rest)
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  const lambda = {
    class_name: 'Sequential',
    config: {
      name: 's',
      layers: [
        { class_name: 'InputLayer', config: { batch_input_shape: [null, 16], name: 'in' } },
        { class_name: 'Lambda', config: { name: 'x' } },
      ],
    },
  }
  const linear = (input: object) =>
    specOf({ kind: 'linear', ...input } as Parameters<typeof specOf>[0])
  /** As it could come from a store, past the schema. */
  const proto = (): HeadSpec => ({
    ...linear({}),
    classWeights: JSON.parse('{"__proto__":2}') as Record<string, number>,
  })

  it.each<[string, () => HeadSpec, Partial<FitRequest>, RegExp]>([
    ['an unknown layer class', () => customOf(lambda), {}, /Lambda/],
    [
      'another input',
      () => specFrom(stack(layers.dense({ units: 3, inputShape: [15] }))),
      {},
      /\[15\].*\[16\]/,
    ],
    ['another number of units', () => specFrom(stack(dense(4, 'softmax'))), {}, /\[4\].*3 classes/],
    ['another activation', () => specFrom(stack(dense(3, 'sigmoid'))), {}, /sigmoid.*softmax/],
    [
      'a layer that cannot be trained here',
      () =>
        specFrom(
          stack(
            layers.reshape({ targetShape: [4, 4, 1], inputShape: [16] }),
            layers.conv2d({ filters: 2, kernelSize: 2 }),
            layers.flatten(),
            layers.dense({ units: 3 }),
          ),
        ),
      {},
      /cannot be trained on wasm/,
    ],
    [
      'too many parameters',
      () => specOf({ kind: 'mlp', width: 16_384 }),
      { featureShape: [7, 7, 320] },
      /parameters/,
    ],
    [
      'early stopping without validation',
      () => linear({ earlyStopping: { patience: 2 } }),
      { splits: new Set(['train', 'test']) },
      /earlyStopping needs a validation split/,
    ],
    [
      'weights of an unknown class',
      () => linear({ classWeights: { a: 2, d: 2 } }),
      {},
      /unknown class "d"/,
    ],
    ['weights of __proto__', proto, {}, /unknown class "__proto__"/],
    [
      'weights of a name that objects inherit',
      () => linear({ classWeights: { toString: 2 } }),
      {},
      /"toString"/,
    ],
    [
      'label smoothing of a regression',
      () => linear({ labelSmoothing: 0.1 }),
      { target: regression },
      /labelSmoothing/,
    ],
    [
      'class weights of a regression',
      () => linear({ classWeights: 'balanced' }),
      { target: regression },
      /classWeights/,
    ],
    [
      'no train sample',
      () => linear({}),
      { splits: new Set(['test']) },
      /train split has no sample/,
    ],
    ['one class', () => linear({}), { target: { kind: 'single', classes: ['a'] } }, /1 classes/],
    ['no class', () => linear({}), { target: { kind: 'multi', classes: [] } }, /0 classes/],
  ])('is refused: %s', async (_, make, rest, fault) => {
    const spec = make()
    const { numTensors } = tf.memory()
    const error = await tryFit(spec, rest).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'HEAD_INVALID' })
    expect((error as { details: string[] }).details.join('\n')).toMatch(fault)
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('names every fault at once', async () => {
    const spec = {
      ...customOf(lambda),
      classWeights: { d: 2 },
      earlyStopping: { patience: 1, minDelta: 0, metric: 'loss' },
    } as HeadSpec
    await expect(tryFit(spec, { splits: new Set() })).rejects.toMatchObject({
      details: [
        expect.stringMatching(/train split/),
        expect.stringMatching(/validation/),
        expect.stringMatching(/"d"/),
        expect.stringMatching(/Lambda/),
      ],
    })
  })
})
