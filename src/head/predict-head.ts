// Owns predicting with a published head. Results of a row do not depend on the rows beside it.
// Refuses features of another width.
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers'
import { HeadstartError } from '../errors.js'
import { modelFromArtifacts } from './artifacts.js'
import { ensureHeadBackend } from './backend.js'
import type { HeadArtifacts } from './types.js'

/** Bounds memory: `predict` of TF.js would concatenate a whole set. */
const ROWS_A_BATCH = 256

export interface HeadPredictor {
  /** Units: one a class, or one a regression output. */
  readonly outputs: number
  /** Numbers of one feature row. */
  readonly inputWidth: number
  /**
   * @param features [rows, inputWidth] row-major; borrowed.
   * @returns [rows, outputs]: probabilities, or values in the target's units.
   */
  predict(features: Float32Array, rows: number): Float32Array
  /** Frees all tensors. Safe to call twice. */
  close(): void
}

/**
 * [rows, outputs] of a batch; inputs are reshaped to `inputShape`. A single row is computed twice
 * over: libtensorflow gives other bits at batch 1 than at any other batch.
 */
export const predictBatch = (
  model: LayersModel,
  inputShape: readonly number[],
  features: Float32Array,
  rows: number,
): Float32Array => {
  const padded = rows === 1 ? 2 : rows
  let block = features
  if (rows === 1) {
    block = new Float32Array(2 * features.length)
    block.set(features)
    block.set(features, features.length)
  }
  const x = tf.tensor(block, [padded, ...inputShape], 'float32')
  const y = tf.tidy(() => model.apply(x, { training: false }) as tf.Tensor)
  // Outside the tidy: a tidy walks every element that it returns.
  const values = y.dataSync<'float32'>()
  const size = rows * (y.size / padded)
  tf.dispose([x, y])
  return values.subarray(0, size)
}

/**
 * Loads a head. The caller closes it.
 *
 * @throws STORE_CORRUPT, HEAD_INVALID, ENGINE_UNAVAILABLE
 */
export const openHead = async (artifacts: HeadArtifacts): Promise<HeadPredictor> => {
  await ensureHeadBackend()
  const { model, dispose } = await modelFromArtifacts(artifacts)
  const inputShape = (model.inputs[0] as SymbolicTensor).shape.slice(1) as number[]
  const inputWidth = inputShape.reduce((product, size) => product * size, 1)
  const outputs = Number((model.outputs[0] as SymbolicTensor).shape.at(-1))
  return {
    outputs,
    inputWidth,
    predict: (features, rows) => {
      if (features.length !== rows * inputWidth) {
        const wanted = `${rows} rows of ${inputWidth}`
        throw new HeadstartError(
          'HEAD_INVALID',
          `the head takes ${wanted} numbers, got ${features.length}`,
        )
      }
      const result = new Float32Array(rows * outputs)
      for (let begin = 0; begin < rows; begin += ROWS_A_BATCH) {
        const end = Math.min(rows, begin + ROWS_A_BATCH)
        const part = features.subarray(begin * inputWidth, end * inputWidth)
        result.set(predictBatch(model, inputShape, part, end - begin), begin * outputs)
      }
      return result
    },
    close: dispose,
  }
}
