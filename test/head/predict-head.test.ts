import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { evaluateHead } from '../../src/head/evaluate.js'
import { openHead } from '../../src/head/predict-head.js'
import { trainHead } from '../../src/head/train.js'
import type { HeadArtifacts } from '../../src/head/types.js'
import { blobs, plainOf, specOf } from './synthetic.js'

const data = blobs({ rows: 600, width: 37, classes: 5 })
const features = plainOf(data)
const trained = await trainHead({
  data,
  spec: specOf({ kind: 'mlp', width: 19, epochs: 2, dropout: 0.2 }),
  seed: 1,
})
const { artifacts } = trained

describe('a published head', () => {
  it('gives a row the same bits alone, in any batch, at any position', async () => {
    const head = await openHead(artifacts)
    const all = head.predict(features, data.rows)
    for (const size of [1, 2, 3, 5, 7, 16, 255, 256, 257]) {
      for (const begin of [0, 1, 130, 600 - size]) {
        const part = head.predict(features.subarray(begin * 37, (begin + size) * 37), size)
        expect(part).toEqual(all.slice(begin * 5, (begin + size) * 5))
      }
    }
    expect(head.predict(new Float32Array(0), 0)).toEqual(new Float32Array(0))
    expect([head.inputWidth, head.outputs]).toEqual([37, 5])
    head.close()
  })

  it('frees every tensor on close, twice without harm', async () => {
    const { numTensors } = tf.memory()
    const head = await openHead(artifacts)
    head.predict(features, data.rows)
    head.close()
    head.close()
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('measures what training measured', async () => {
    const head = await openHead(artifacts)
    expect(await evaluateHead(head, data, 'validation')).toEqual(trained.metrics.validation)
    head.close()
  })

  it('names its layers so that they cannot collide with those of a base', () => {
    expect(artifacts.weightSpecs.map(({ name }) => name)).toEqual([
      'head_dense_1/kernel',
      'head_dense_1/bias',
      'head_logits/kernel',
      'head_logits/bias',
    ])
    const text = JSON.stringify(artifacts.topology)
    const names = [...text.matchAll(/"config":\{[^{}]*?"name":"([^"]+)"/g)].map((match) => match[1])
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) expect(name).toMatch(/^head(_|$)/)
  })

  it('refuses features of another width', async () => {
    const head = await openHead(artifacts)
    expect(() => head.predict(features, 3)).toThrow(/37/)
    head.close()
  })
})

describe('artifacts that are refused', () => {
  const weights = (change: (bytes: Uint8Array) => Uint8Array): HeadArtifacts => ({
    ...artifacts,
    weights: change(artifacts.weights.slice()),
  })
  const nan = (bytes: Uint8Array) => {
    new DataView(bytes.buffer).setFloat32(40, Number.NaN, true)
    return bytes
  }
  const [kernel, ...rest] = artifacts.weightSpecs
  if (kernel === undefined) throw new Error('no weight')

  it.each<[string, HeadArtifacts, string]>([
    ['truncated weights', weights((bytes) => bytes.slice(4)), 'STORE_CORRUPT'],
    ['surplus weights', weights((bytes) => Buffer.concat([bytes, bytes])), 'STORE_CORRUPT'],
    ['a weight that is not finite', weights(nan), 'STORE_CORRUPT'],
    [
      'a weight of another name',
      { ...artifacts, weightSpecs: [{ ...kernel, name: 'other' }, ...rest] },
      'HEAD_INVALID',
    ],
    [
      'a weight of another shape',
      { ...artifacts, weightSpecs: [{ ...kernel, shape: [...kernel.shape].reverse() }, ...rest] },
      'HEAD_INVALID',
    ],
    ['no topology', { ...artifacts, topology: null }, 'HEAD_INVALID'],
    ['a topology of rubbish', { ...artifacts, topology: { a: 1 } }, 'HEAD_INVALID'],
  ])('%s', async (_, broken, code) => {
    const { numTensors } = tf.memory()
    await expect(openHead(broken)).rejects.toMatchObject({ code })
    expect(tf.memory().numTensors).toBe(numTensors)
  })

  it('loads weights that lie unaligned in a larger buffer', async () => {
    const shifted = new Uint8Array(artifacts.weights.length + 1)
    shifted.set(artifacts.weights, 1)
    const head = await openHead({ ...artifacts, weights: shifted.subarray(1) })
    const plain = await openHead(artifacts)
    expect(head.predict(features, 600)).toEqual(plain.predict(features, 600))
    head.close()
    plain.close()
  })
})
