import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureHeadBackend } from '../../src/head/backend.js'
import {
  disposeOptimizerState,
  initialOptimizerState,
  type OptimizerSettings,
  optimizerStep,
  readOptimizerState,
  writeOptimizerState,
} from '../../src/head/optimizer.js'
import { normals } from './synthetic.js'

/** The published algorithms, term by term, in float64. */
const reference = (
  settings: OptimizerSettings,
  kernel: boolean,
  start: number,
  gradients: readonly number[],
): number => {
  const { learningRate: lr, momentum, weightDecay, l2, optimizer } = settings
  let w = start
  let m = 0
  let v = 0
  for (const [index, plain] of gradients.entries()) {
    const t = index + 1
    const g = plain + (kernel ? 2 * l2 * w : 0)
    const decay = kernel ? lr * weightDecay * w : 0
    if (optimizer === 'sgd') {
      m = (momentum ?? 0) * m + g
      w = w - decay - lr * m
    } else {
      m = 0.9 * m + 0.1 * g
      v = 0.999 * v + 0.001 * g * g
      const mHat = m / (1 - 0.9 ** t)
      const vHat = v / (1 - 0.999 ** t)
      w = w - decay - (lr * mHat) / (Math.sqrt(vHat) + 1e-8)
    }
  }
  return w
}

const base = { learningRate: 0.05, momentum: null, weightDecay: 0, l2: 0 }
const cases: OptimizerSettings[] = [
  { ...base, optimizer: 'adam' },
  { ...base, optimizer: 'adam', l2: 0.1 },
  { ...base, optimizer: 'adamw', weightDecay: 0.2 },
  { ...base, optimizer: 'sgd', momentum: 0.9 },
  { ...base, optimizer: 'sgd', momentum: 0, weightDecay: 0.3, l2: 0.01 },
]

/** Runs the steps; through numbers and back after `restart` steps. */
const run = (settings: OptimizerSettings, gradients: number[][], restart = -1): number[][] => {
  let parameters: tf.Tensor[] = [tf.tensor2d([1, -2, 0.5, 3], [2, 2]), tf.tensor1d([0.3, -0.7])]
  let state = initialOptimizerState(settings, parameters)
  for (const [index, g] of gradients.entries()) {
    if (index === restart) {
      const values = readOptimizerState(state).map((value) => value.slice())
      disposeOptimizerState(state)
      state = writeOptimizerState(settings, state.step, values, parameters)
    }
    const kernel = tf.tensor2d(g.slice(0, 4), [2, 2])
    const bias = tf.tensor1d(g.slice(4))
    const next = optimizerStep(settings, state, parameters, [kernel, bias])
    parameters = next.parameters
    state = next.state
  }
  return parameters.map((tensor) => [...tensor.dataSync<'float32'>()])
}

describe.each(cases)('$optimizer (weightDecay $weightDecay, l2 $l2)', (settings) => {
  beforeAll(ensureHeadBackend)
  const normal = normals(5)
  const gradients = Array.from({ length: 25 }, () => Array.from({ length: 6 }, normal))

  it('agrees with a float64 reference after 25 steps; biases are not decayed', () => {
    const [kernel, bias] = run(settings, gradients)
    const starts = [1, -2, 0.5, 3, 0.3, -0.7]
    const got = [...(kernel ?? []), ...(bias ?? [])]
    for (const [index, start] of starts.entries()) {
      const column = gradients.map((g) => g[index] as number)
      expect(got[index]).toBeCloseTo(reference(settings, index < 4, start, column), 4)
    }
  })

  it('goes on bit by bit from a state that was written out and read back', () => {
    const before = run(settings, gradients)
    expect(run(settings, gradients, 10)).toEqual(before)
  })
})
