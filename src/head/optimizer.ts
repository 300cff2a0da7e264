// Owns the optimizers: pure steps from (parameters, gradients, state) to new ones, no hidden state.
// Each step returns new tensors; the caller owns them and disposes the old ones.
import * as tf from '@tensorflow/tfjs-core'

export interface OptimizerSettings {
  readonly optimizer: 'adam' | 'adamw' | 'sgd'
  readonly learningRate: number
  /** Of sgd; null for the others, which have none. */
  readonly momentum: number | null
  /** Decoupled; on parameters of rank 2 and more (kernels); adamw and sgd only. */
  readonly weightDecay: number
  /** Convention l2 * sum(w^2): the gradient of a kernel gets 2 * l2 * w. */
  readonly l2: number
}

/** `step` counts finished steps. `m` and `v` have the parameters' shapes; sgd has only `m`. */
export interface OptimizerState {
  readonly step: number
  readonly m: readonly tf.Tensor[]
  readonly v: readonly tf.Tensor[]
}

const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-8

export const initialOptimizerState = (
  settings: OptimizerSettings,
  parameters: readonly tf.Tensor[],
): OptimizerState => {
  const zeros = () => parameters.map((parameter) => tf.zeros(parameter.shape))
  return { step: 0, m: zeros(), v: settings.optimizer === 'sgd' ? [] : zeros() }
}

/**
 * One step. adam: Kingma and Ba, "Adam", ICLR 2015, algorithm 1 (beta 0.9 and 0.999, epsilon 1e-8).
 * adamw: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2 with
 * the decay scaled by the learning rate: w -= lr * weightDecay * w.
 * sgd: v = momentum * v + g; w -= lr * v, with the same decoupled decay.
 * Call inside tf.tidy and return what you keep.
 *
 * @param gradients one a parameter; undefined where the loss does not depend on it.
 */
export const optimizerStep = (
  settings: OptimizerSettings,
  state: OptimizerState,
  parameters: readonly tf.Tensor[],
  gradients: readonly (tf.Tensor | undefined)[],
): { readonly parameters: tf.Tensor[]; readonly state: OptimizerState } => {
  const step = state.step + 1
  const next: tf.Tensor[] = []
  const ms: tf.Tensor[] = []
  const vs: tf.Tensor[] = []
  for (const [index, w] of parameters.entries()) {
    const isKernel = w.rank >= 2
    const plain = gradients[index] ?? tf.zerosLike(w)
    const g = isKernel && settings.l2 > 0 ? tf.add(plain, tf.mul(w, f32(2 * settings.l2))) : plain
    const m = state.m[index] as tf.Tensor
    const decay = isKernel ? settings.learningRate * settings.weightDecay : 0
    const decayed = decay > 0 ? tf.mul(w, f32(1 - decay)) : w
    if (settings.optimizer === 'sgd') {
      const velocity = tf.add(tf.mul(m, f32(settings.momentum ?? 0)), g)
      ms.push(velocity)
      next.push(tf.sub(decayed, tf.mul(velocity, f32(settings.learningRate))))
      continue
    }
    const m1 = tf.add(tf.mul(m, f32(BETA1)), tf.mul(g, f32(1 - BETA1)))
    const v1 = tf.add(
      tf.mul(state.v[index] as tf.Tensor, f32(BETA2)),
      tf.mul(tf.square(g), f32(1 - BETA2)),
    )
    // mHat / (sqrt(vHat) + epsilon) = scale * m / (sqrt(v) + epsilon * root), one pass less.
    const root = Math.sqrt(1 - BETA2 ** step)
    const scale = (settings.learningRate * root) / (1 - BETA1 ** step)
    const change = tf.div(tf.mul(m1, f32(scale)), tf.add(tf.sqrt(v1), f32(EPSILON * root)))
    ms.push(m1)
    vs.push(v1)
    next.push(tf.sub(decayed, change))
  }
  return { parameters: next, state: { step, m: ms, v: vs } }
}

const f32 = (value: number): tf.Scalar => tf.scalar(value, 'float32')

/** The state's numbers, m then v, for a checkpoint. Not inside tf.tidy. */
export const readOptimizerState = (state: OptimizerState): Float32Array[] =>
  [...state.m, ...state.v].map((slot) => slot.dataSync<'float32'>())

/** The state of `readOptimizerState`; new tensors, owned by the caller. */
export const writeOptimizerState = (
  settings: OptimizerSettings,
  step: number,
  values: readonly Float32Array[],
  parameters: readonly tf.Tensor[],
): OptimizerState => {
  const slots = settings.optimizer === 'sgd' ? 1 : 2
  if (values.length !== slots * parameters.length) {
    throw new RangeError(`optimizer state: ${values.length} slots for ${parameters.length} weights`)
  }
  const tensors = values.map((value, index) =>
    tf.tensor(value, parameters[index % parameters.length]?.shape, 'float32'),
  )
  return { step, m: tensors.slice(0, parameters.length), v: tensors.slice(parameters.length) }
}

export const disposeOptimizerState = (state: OptimizerState): void => {
  tf.dispose([...state.m, ...state.v])
}
