// Owns the gradient of matMul on wasm: the same mathematics, without the transpose flags.
// Refuses to touch other backends, ranks and flags: those keep the gradient of TF.js.
import * as tf from '@tensorflow/tfjs-core'
// For its side effect: it registers the gradients of every kernel.
import '@tensorflow/tfjs-layers'

const KERNEL = 'BatchMatMul'
let registered = false

/**
 * The wasm backend multiplies through XNNPACK only when no operand is flagged as transposed, and
 * through a naive loop otherwise. Measured for x[32, 1280], dy[32, 256]: x^T dy takes 12.9 ms with
 * the flag and 2.1 ms with an explicit transpose. The gradient of every dense layer is such a product.
 */
export const registerFastMatMulGradient = (): void => {
  if (registered) return
  registered = true
  const original = tf.getGradient(KERNEL)
  tf.registerGradient({
    ...original,
    gradFunc: (dy, saved, attributes) => {
      const [a, b] = saved
      const plain = attributes.transposeA !== true && attributes.transposeB !== true
      if (tf.getBackend() !== 'wasm' || !plain || a?.rank !== 2 || b?.rank !== 2) {
        return original.gradFunc(dy, saved, attributes)
      }
      const upstream = dy as tf.Tensor2D
      return {
        a: () => tf.matMul(upstream, tf.transpose(b as tf.Tensor2D)),
        b: () => tf.matMul(tf.transpose(a as tf.Tensor2D), upstream),
      }
    },
  })
}
