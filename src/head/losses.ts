// Owns the training losses on logits, each with its closed-form gradient: stable where probabilities
// underflow. Each returns a scalar that the caller disposes. Targets and weights are used again in the
// backward pass: make them outside the function whose gradient is taken, or its tidy frees them.
import * as tf from '@tensorflow/tfjs-core'

type Loss2D = (logits: tf.Tensor2D) => tf.Scalar

const withGradient = (
  value: (logits: tf.Tensor2D) => tf.Scalar,
  gradient: (logits: tf.Tensor2D) => tf.Tensor,
): Loss2D => {
  const op = tf.customGrad((x: tf.Tensor | tf.GradSaveFunc, save: tf.Tensor | tf.GradSaveFunc) => {
    const logits = x as tf.Tensor2D
    const keep = save as tf.GradSaveFunc
    keep([logits])
    return {
      value: value(logits),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
        tf.mul(dy, gradient(saved[0] as tf.Tensor2D)),
    }
  })
  return (logits) => op(logits) as tf.Scalar
}

/**
 * Softmax cross entropy: mean over the batch of w_i * -sum_c t_ic log p_ic (weights as in Keras: the
 * divisor is the batch, not the sum of the weights). Gradient: w_i (p_i - t_i) / batch.
 *
 * @param targets [batch, classes], rows sum to 1 (label smoothing is in them).
 * @param weights [batch, 1]
 */
export const softmaxCrossEntropy = (
  logits: tf.Tensor2D,
  targets: tf.Tensor2D,
  weights: tf.Tensor2D,
): tf.Scalar => {
  const batch = logits.shape[0]
  return withGradient(
    (x) => {
      const shifted = tf.sub(x, tf.max(x, -1, true))
      const logProbabilities = tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), -1, true)))
      const perSample = tf.sum(tf.mul(targets, logProbabilities), -1, true)
      return tf.neg(tf.mean(tf.mul(perSample, weights))) as tf.Scalar
    },
    (x) => tf.mul(tf.sub(tf.softmax(x), targets), tf.div(weights, batch)),
  )(logits)
}

/**
 * Sigmoid cross entropy: mean over batch and classes of (1 - t) softplus(x) + w_c t softplus(-x).
 * Gradient: ((1 - t) p - w_c t (1 - p)) / (batch * classes).
 *
 * @param targets [batch, classes] in 0..1
 * @param positiveWeights [1, classes]: what a positive label of the class weighs.
 */
export const sigmoidCrossEntropy = (
  logits: tf.Tensor2D,
  targets: tf.Tensor2D,
  positiveWeights: tf.Tensor2D,
): tf.Scalar => {
  const [batch, classes] = logits.shape
  const negative = () => tf.sub(1, targets)
  const positive = () => tf.mul(targets, positiveWeights)
  return withGradient(
    (x) => {
      // softplus(x) = max(x, 0) + log(1 + exp(-|x|))
      const tail = tf.log(tf.add(1, tf.exp(tf.neg(tf.abs(x)))))
      const up = tf.add(tf.relu(x), tail)
      const down = tf.add(tf.relu(tf.neg(x)), tail)
      return tf.mean(tf.add(tf.mul(negative(), up), tf.mul(positive(), down))) as tf.Scalar
    },
    (x) => {
      const p = tf.sigmoid(x)
      const sum = tf.sub(tf.mul(negative(), p), tf.mul(positive(), tf.sub(1, p)))
      return tf.div(sum, batch * classes)
    },
  )(logits)
}

/** Mean over batch and outputs of the squared difference. Both [batch, outputs]. */
export const meanSquaredError = (predictions: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar =>
  tf.mean(tf.square(tf.sub(predictions, targets))) as tf.Scalar
