// Owns the initial weights of a head: the same seed gives the same bits.
// Refuses the initializers of a topology: each kernel is drawn from our own generator.
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import { createRandom, type Random } from './random.js'

const ONES = new Set(['gamma', 'moving_variance'])

/** Uniform in +-sqrt(6 / (fanIn + fanOut)) (Glorot and Bengio 2010); row-major. */
export const glorotUniform = (shape: readonly number[], random: Random): Float32Array => {
  const receptiveField = shape.slice(0, -2).reduce((product, size) => product * size, 1)
  const fanIn = receptiveField * (shape.at(-2) ?? 1)
  const fanOut = receptiveField * (shape.at(-1) ?? 1)
  const limit = Math.sqrt(6 / (fanIn + fanOut))
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1))
  for (let index = 0; index < values.length; index += 1) {
    values[index] = (2 * random.float() - 1) * limit
  }
  return values
}

/**
 * Sets every weight of a model: rank 2 and more drawn with `glorotUniform`, each from a stream keyed
 * by (seed, index); gamma and moving_variance 1; all else (bias, beta, moving_mean, alpha) 0.
 */
export const drawInitialWeights = (model: LayersModel, seed: number): void => {
  for (const [index, weight] of model.weights.entries()) {
    const shape = weight.shape as number[]
    const kind = weight.originalName.split('/').at(-1) ?? ''
    const value = tf.tidy(() => {
      if (ONES.has(kind)) return tf.ones(shape)
      if (shape.length < 2 || kind === 'alpha') return tf.zeros(shape)
      return tf.tensor(glorotUniform(shape, createRandom(seed, 'weight', index)), shape, 'float32')
    })
    weight.write(value)
    value.dispose()
  }
}
