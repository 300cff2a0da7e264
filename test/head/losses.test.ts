import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureHeadBackend } from '../../src/head/backend.js'
import {
  meanSquaredError,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
} from '../../src/head/losses.js'
import { normals } from './synthetic.js'

const BATCH = 4
const UNITS = 3

/** The losses written out in float64. */
const softmaxReference = (x: number[], t: number[], w: number[]): number => {
  let sum = 0
  for (let row = 0; row < BATCH; row += 1) {
    const logits = x.slice(row * UNITS, (row + 1) * UNITS)
    const top = Math.max(...logits)
    const log = top + Math.log(logits.reduce((total, value) => total + Math.exp(value - top), 0))
    for (let unit = 0; unit < UNITS; unit += 1) {
      sum -=
        (w[row] as number) * (t[row * UNITS + unit] as number) * ((logits[unit] as number) - log)
    }
  }
  return sum / BATCH
}

const sigmoidReference = (x: number[], t: number[], w: number[]): number =>
  x.reduce((sum, value, index) => {
    const target = t[index] as number
    const negative = (1 - target) * Math.log1p(Math.exp(value))
    return sum + negative + target * (w[index % UNITS] as number) * Math.log1p(Math.exp(-value))
  }, 0) / x.length

const numericGradient = (loss: (x: number[]) => number, x: number[]): number[] =>
  x.map((value, index) => {
    const at = (moved: number) => loss(x.map((other, i) => (i === index ? moved : other)))
    return (at(value + 1e-5) - at(value - 1e-5)) / 2e-5
  })

const check = (
  loss: (x: tf.Tensor2D) => tf.Scalar,
  reference: (x: number[]) => number,
  x: number[],
): void => {
  const logits = tf.tensor2d(x, [BATCH, UNITS])
  const { value, grad } = tf.valueAndGrad((input: tf.Tensor) => loss(input as tf.Tensor2D))(logits)
  expect(value.dataSync()[0]).toBeCloseTo(reference(x), 5)
  const expected = numericGradient(reference, x)
  for (const [index, got] of grad.dataSync().entries()) {
    expect(got).toBeCloseTo(expected[index] as number, 5)
  }
}

describe('losses on logits', () => {
  beforeAll(ensureHeadBackend)
  const normal = normals(9)
  const x = Array.from({ length: BATCH * UNITS }, () => 3 * normal())

  it('softmax: value and gradient agree with float64, smoothing and weights included', () => {
    const t = [0.9, 0.05, 0.05, 0.05, 0.9, 0.05, 0.05, 0.05, 0.9, 0.9, 0.05, 0.05]
    const w = [1, 2, 0.5, 3]
    const targets = tf.tensor2d(t, [BATCH, UNITS])
    const weights = tf.tensor2d(w, [BATCH, 1])
    check(
      (logits) => softmaxCrossEntropy(logits, targets, weights),
      (values) => softmaxReference(values, t, w),
      x,
    )
  })

  it('sigmoid: value and gradient agree with float64, positive weights included', () => {
    const t = [1, 0, 0, 1, 1, 0, 0, 0, 0, 0.95, 0.05, 1]
    const w = [1, 4, 0.5]
    const targets = tf.tensor2d(t, [BATCH, UNITS])
    const weights = tf.tensor2d(w, [1, UNITS])
    check(
      (logits) => sigmoidCrossEntropy(logits, targets, weights),
      (values) => sigmoidReference(values, t, w),
      x,
    )
  })

  it('squared error: value and gradient', () => {
    const t = Array.from({ length: BATCH * UNITS }, () => normal())
    const targets = tf.tensor2d(t, [BATCH, UNITS])
    const reference = (values: number[]) =>
      values.reduce((sum, value, index) => sum + (value - (t[index] as number)) ** 2, 0) / t.length
    check((predictions) => meanSquaredError(predictions, targets), reference, x)
  })

  it('stay finite and keep their gradient where probabilities underflow', () => {
    const targets = tf.tensor2d([0, 1], [1, 2])
    const ones = tf.tensor2d([1], [1, 1])
    const softmax = tf.valueAndGrad((input: tf.Tensor) =>
      softmaxCrossEntropy(input as tf.Tensor2D, targets, ones),
    )(tf.tensor2d([1000, -1000], [1, 2]))
    expect(softmax.value.dataSync()[0]).toBe(2000)
    expect([...softmax.grad.dataSync()]).toEqual([1, -1])
    const both = tf.tensor2d([1, 1], [1, 2])
    const sigmoid = tf.valueAndGrad((input: tf.Tensor) =>
      sigmoidCrossEntropy(input as tf.Tensor2D, targets, both),
    )(tf.tensor2d([1000, -1000], [1, 2]))
    expect(sigmoid.value.dataSync()[0]).toBe(1000)
    expect([...sigmoid.grad.dataSync()]).toEqual([0.5, -0.5])
  })
})

describe('the matMul gradient on wasm', () => {
  it('equals the closed form', async () => {
    await ensureHeadBackend()
    expect(tf.getBackend()).toBe('wasm')
    const a = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3])
    const b = tf.tensor2d([1, -1, 2, -2, 3, -3], [3, 2])
    const [da, db] = tf.grads((x: tf.Tensor, y: tf.Tensor) =>
      tf.sum(tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D)),
    )([a, b])
    expect([...(da?.dataSync() ?? [])]).toEqual([0, 0, 0, 0, 0, 0])
    expect([...(db?.dataSync() ?? [])]).toEqual([5, 5, 7, 7, 9, 9])
  })
})
