// Owns what converters fuse into a convolution or a matrix product: a bias, then an activation.
import { ACTIVATIONS } from './elementwise.js'
import { floatInput, type Operation } from './operation.js'
import { demand, refuse } from './refusal.js'
import type { Float } from './value.js'

/** The inputs after x and the kernel. */
const FIRST_ARGUMENT = 2

/**
 * Reads `fused_ops` as TF.js does. It adds a bias first if there is any, and ignores an activation
 * without one, so such a node is refused; a fused BatchNormalization is, as TF.js refuses it too.
 *
 * @param leaky whether TF.js reads the slope of a LeakyRelu; it does not for depthwise convolutions.
 * @param compute the operation without its activation.
 */
export const fusedActivation = (
  operation: Operation,
  leaky: 'slope' | 'no slope',
  compute: (bias?: Float) => Float,
): Float => {
  const { attribute } = operation
  const [first, activation, ...more] = attribute('fused_ops', 'texts', [])
  const argumentCount = attribute('num_args', 'int', 0)
  demand(more.length === 0, 'more than a bias and an activation')
  if (first === undefined) {
    demand(argumentCount === 0, 'arguments of nothing')
    return compute()
  }
  demand(first === 'biasadd', `the fused operation ${first}`)
  demand(argumentCount === (activation === 'prelu' ? 2 : 1), 'arguments of something else')
  const result = compute(floatInput(operation, FIRST_ARGUMENT))
  if (activation === undefined) return result
  const activate = ACTIVATIONS.get(activation) ?? refuse(`the fused operation ${activation}`)
  if (activation === 'leakyrelu') {
    demand(leaky === 'slope', 'a slope that TF.js does not read')
    return activate(operation, result, { slope: attribute('leakyrelu_alpha', 'float', 0.2) })
  }
  if (activation !== 'prelu') return activate(operation, result, {})
  return activate(operation, result, { slopes: floatInput(operation, FIRST_ARGUMENT + 1) })
}
