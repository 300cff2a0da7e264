// Owns the tensors of one training: weights, optimizer state, and the step that changes them.
// Everything that it makes is freed by `dispose`; copies that it hands out belong to the caller.
import * as tf from '@tensorflow/tfjs-core'
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import type { Batch } from './batches.js'
import type { BuiltHead } from './build.js'
import { createDropoutSeeds } from './dropout.js'
import { meanSquaredError, sigmoidCrossEntropy, softmaxCrossEntropy } from './losses.js'
import {
  disposeOptimizerState,
  initialOptimizerState,
  type OptimizerState,
  optimizerStep,
  readOptimizerState,
  writeOptimizerState,
} from './optimizer.js'
import type { FirstOrderSpec } from './spec.js'
import type { StepTargets } from './targets.js'
import type { TrainingData } from './types.js'
import { unfuseLinearDense } from './unfused-dense.js'
import { yieldToLoop } from './yield-to-loop.js'

/** A copy of the tensors at one moment. Shares memory until the training moves on. */
export interface TrainerCopy {
  readonly weights: readonly tf.Tensor[]
  readonly optimizer: OptimizerState
}

export interface Trainer {
  /** Runs all steps of an epoch. @throws HEAD_DIVERGED, HEAD_INVALID, INTERRUPTED */
  runEpoch(
    batches: AsyncIterable<Batch>,
    epoch: number,
    signal: AbortSignal | undefined,
  ): Promise<void>
  copyWeights(): tf.Tensor[]
  setWeights(weights: readonly tf.Tensor[]): void
  copy(): TrainerCopy
  /** Continues from numbers of a checkpoint. False, and nothing changed, if they do not fit. */
  restore(
    step: number,
    weights: readonly Float32Array[],
    optimizer: readonly Float32Array[],
  ): boolean
  dispose(): void
}

export const readTensors = (tensors: readonly tf.Tensor[]): Float32Array[] =>
  tensors.map((tensor) => tensor.dataSync<'float32'>().slice())

export const readCopy = (
  copy: TrainerCopy,
): { readonly weights: Float32Array[]; readonly optimizer: Float32Array[] } => ({
  weights: readTensors(copy.weights),
  optimizer: readOptimizerState(copy.optimizer),
})

export const disposeCopy = (copy: TrainerCopy): void => {
  tf.dispose([...copy.weights])
  disposeOptimizerState(copy.optimizer)
}

interface StepResult {
  readonly value: tf.Scalar
  readonly parameters: readonly tf.Tensor[]
  readonly state: OptimizerState
}

/** tf.tidy that keeps the tensors of a step's result; its types know no readonly containers. */
const tidyStep = (run: () => StepResult): StepResult =>
  tf.tidy(() => run() as unknown as tf.TensorContainer) as unknown as StepResult

/** TF.js frees the tensors that a gradient saved only when the backward pass ends well. */
const disposeFailedTape = (): void => {
  const { state } = tf.engine()
  for (const { saved } of state.activeTape ?? []) tf.dispose(saved)
  state.activeTape = []
}

export const createTrainer = (request: {
  readonly head: BuiltHead
  readonly spec: FirstOrderSpec
  readonly seed: number
  readonly data: TrainingData
  readonly targets: StepTargets
}): Trainer => {
  const { head, spec, seed, data, targets } = request
  const { units } = targets
  const all = head.model.weights
  const trained = head.model.trainableWeights
  const variables = trained.map((weight) => weight.read() as tf.Variable)
  const dropout = createDropoutSeeds(head.logits, seed)
  unfuseLinearDense(head.logits)
  const batch = Math.min(spec.batchSize, data.rows)
  const buffers = {
    targets: new Float32Array(batch * units),
    weights: new Float32Array(batch),
  }
  let state = initialOptimizerState(spec, variables)

  /** The loss for the first `count` rows of the buffers; call it outside the gradient function. */
  const createLoss = (count: number): ((logits: tf.Tensor2D) => tf.Scalar) => {
    const wanted = tf.tensor2d(buffers.targets.subarray(0, count * units), [count, units])
    if (data.target.kind === 'regression') return (values) => meanSquaredError(values, wanted)
    if (data.target.kind === 'multi') {
      const positive = tf.tensor2d(targets.classWeights, [1, units])
      return (logits) => sigmoidCrossEntropy(logits, wanted, positive)
    }
    const weights = tf.tensor2d(buffers.weights.subarray(0, count), [count, 1])
    return (logits) => softmaxCrossEntropy(logits, wanted, weights)
  }

  /** One step. Returns its loss, regularisers of layers included. */
  const step = ({ count, rows, features }: Batch): number => {
    targets.fill(rows, 0, count, buffers)
    dropout.set(state.step)
    const result = tidyStep(() => {
      const x = tf.tensor(features, [count, ...head.inputShape], 'float32')
      const lossOf = createLoss(count)
      const { value, grads } = tf.variableGrads(() => {
        const logits = head.logits.apply(x, { training: true }) as tf.Tensor2D
        return head.logits
          .calculateLosses()
          .reduce<tf.Scalar>((sum, loss) => tf.add(sum, loss), lossOf(logits))
      }, variables)
      const gradients = variables.map((variable) => grads[variable.name])
      return { value, ...optimizerStep(spec, state, variables, gradients) }
    })
    for (const [index, weight] of trained.entries()) {
      weight.write(result.parameters[index] as tf.Tensor)
    }
    disposeOptimizerState(state)
    state = result.state
    const loss = result.value.dataSync<'float32'>()[0] as number
    tf.dispose([result.value, ...result.parameters])
    return loss
  }

  /** A layer that the backend cannot train shows in the first step. */
  const firstStep = (first: Batch): number => {
    try {
      return step(first)
    } catch (error) {
      disposeFailedTape()
      if (isHeadstartError(error)) throw error
      const message = `the head cannot be trained on ${tf.getBackend()}: ${messageOf(error)}`
      throw new HeadstartError('HEAD_INVALID', message, { cause: error })
    }
  }

  const setWeights = (weights: readonly tf.Tensor[]): void => {
    for (const [index, weight] of all.entries()) weight.write(weights[index] as tf.Tensor)
  }

  return {
    runEpoch: async (batches, epoch, signal) => {
      const pause = yieldToLoop()
      try {
        for await (const one of batches) {
          assertNotAborted(signal)
          const loss = (state.step === 0 ? firstStep : step)(one)
          if (!Number.isFinite(loss)) {
            throw new HeadstartError('HEAD_DIVERGED', `the loss is ${loss} in epoch ${epoch}`)
          }
          await pause()
        }
      } finally {
        dropout.restore()
      }
    },
    copyWeights: () => all.map((weight) => weight.read().clone()),
    setWeights,
    copy: () => ({
      weights: all.map((weight) => weight.read().clone()),
      optimizer: {
        step: state.step,
        m: state.m.map((slot) => slot.clone()),
        v: state.v.map((slot) => slot.clone()),
      },
    }),
    restore: (steps, weights, optimizer) => {
      const slots = [...state.m, ...state.v]
      const fits =
        weights.length === all.length &&
        all.every((weight, index) => weight.read().size === weights[index]?.length) &&
        optimizer.length === slots.length &&
        slots.every((slot, index) => slot.size === optimizer[index]?.length)
      if (!fits) return false
      const tensors = weights.map((values, index) =>
        tf.tensor(values, all[index]?.shape as number[], 'float32'),
      )
      setWeights(tensors)
      tf.dispose(tensors)
      disposeOptimizerState(state)
      state = writeOptimizerState(spec, steps, optimizer, variables)
      return true
    },
    dispose: () => disposeOptimizerState(state),
  }
}
