// Owns operations of Keras 3 (`x + 3.`, `ops.sigmoid(x)`), which Keras 2 and TF.js have no layers for.
import { isObject, type Json, refuse } from './keras3-json.js'
import { tensorsIn } from './keras3-nodes.js'
import {
  addScaled,
  type Expand,
  hardSigmoid,
  hardSilu,
  type Keras3Layer,
  renamed,
  rescaled,
} from './keras3-parts.js'

const subtract: Expand = (layer) => addScaled(layer, -1)

/** The arguments of the only call of an operation: numbers, and null for each tensor. */
const operandsOf = (layer: Keras3Layer): (number | null)[] => {
  const calls = layer.original.inbound_nodes
  const [call, ...others] = Array.isArray(calls) ? calls : []
  const { args, kwargs } = isObject(call) ? call : {}
  const strange = others.length > 0 || (isObject(kwargs) && Object.keys(kwargs).length > 0)
  if (strange || !Array.isArray(args)) return refuse(`the way that ${layer.name} is called`)
  return args.map((value: Json) => {
    if (typeof value === 'number') return value
    if (tensorsIn([value]).length !== 1) return refuse(`an argument of ${layer.name}`)
    return null
  })
}

type Rescale = (number: number) => { scale: number; offset: number } | undefined

/** An operation on a tensor and a number on either side; `both`: on two tensors. */
const arithmetic =
  (right: Rescale, left: Rescale, both: Expand): Expand =>
  (layer) => {
    const [a, b, ...others] = operandsOf(layer)
    if (a === undefined || b === undefined || others.length > 0)
      return refuse(`the operation ${layer.className} on other than two operands`)
    if (a === null && b === null) return both(layer)
    const line = a === null ? right(b as number) : left(a)
    if (line === undefined) return refuse(`the operation ${layer.className} in ${layer.name}`)
    return rescaled(layer, line.scale, line.offset)
  }

const plus: Rescale = (offset) => ({ scale: 1, offset })
const times: Rescale = (scale) => ({ scale, offset: 0 })
const divided = arithmetic(
  (number) => ({ scale: 1 / number, offset: 0 }),
  () => undefined,
  (layer) => refuse(`the operation ${layer.className} on two tensors`),
)
const activated = (name: string): Expand => renamed('Activation', { activation: name })

const maximum: Expand = (layer) =>
  operandsOf(layer).every((operand) => operand === null)
    ? renamed('Maximum')(layer)
    : refuse('the operation Maximum with a number')

export const OPERATIONS: Readonly<Record<string, Expand>> = {
  Add: arithmetic(plus, plus, renamed('Add')),
  Subtract: arithmetic(
    (offset) => ({ scale: 1, offset: -offset }),
    (offset) => ({ scale: -1, offset }),
    subtract,
  ),
  Multiply: arithmetic(times, times, renamed('Multiply')),
  Divide: divided,
  TrueDivide: divided,
  Maximum: maximum,
  Negative: (layer) => rescaled(layer, -1, 0),
  Relu: activated('relu'),
  Relu6: activated('relu6'),
  Sigmoid: activated('sigmoid'),
  Silu: activated('swish'),
  Tanh: activated('tanh'),
  HardSigmoid: (layer) => hardSigmoid(layer, layer.name),
  HardSilu: hardSilu,
}
