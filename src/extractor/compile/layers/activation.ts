// Owns activations, as layers of their own and inside of others, with the formulas of TF.js.

import type { Attributes } from '../../onnx/graph-builder.js'
import type { TensorValue } from '../tensor-value.js'
import { axisInMemory, shapeInMemory } from '../tensor-value.js'
import {
  type CompileLayer,
  inputOf,
  type LayerCall,
  UnsupportedSetting,
  weightOf,
} from './layer-call.js'
import { constantOf, permuted, scalarOf } from './weights.js'

type Formula = (call: LayerCall, x: TensorValue) => string

const op =
  (opType: string, attributes: Attributes = {}): Formula =>
  ({ builder }, { name }) =>
    builder.node(opType, [name], attributes)

const clip = (call: LayerCall, { name }: TensorValue, low: number, high: number): string =>
  call.builder.node('Clip', [name, scalarOf(call, 'low', low), scalarOf(call, 'high', high)])

const alongChannels =
  (opType: string): Formula =>
  ({ builder }, x) =>
    builder.node(opType, [x.name], { axis: { int: axisInMemory(x, x.shape.length - 1) } })

/** x * 0.5 * (1 + gate) */
const gated = (call: LayerCall, x: string, gate: string): string => {
  const { builder } = call
  const open = builder.node('Add', [gate, scalarOf(call, 'one', 1)])
  const half = builder.node('Mul', [x, scalarOf(call, 'half', 0.5)])
  return builder.node('Mul', [half, open])
}

const gelu: Formula = (call, { name }) => {
  const { builder } = call
  const scaled = builder.node('Mul', [name, scalarOf(call, 'scale', Math.SQRT1_2)])
  return gated(call, name, builder.node('Erf', [scaled]))
}

const geluNew: Formula = (call, { name }) => {
  const { builder } = call
  const squared = builder.node('Mul', [name, name])
  const cubed = builder.node('Mul', [squared, name])
  const small = builder.node('Mul', [cubed, scalarOf(call, 'cubic', 0.044715)])
  const sum = builder.node('Add', [name, small])
  const scaled = builder.node('Mul', [sum, scalarOf(call, 'scale', Math.sqrt(2 / Math.PI))])
  return gated(call, name, builder.node('Tanh', [scaled]))
}

const SELU = {
  alpha: { float: 1.6732632423543772 },
  gamma: { float: 1.0507009873554805 },
} as const

/** By the names that TF.js gives its activations. */
const FORMULAS: Readonly<Record<string, Formula>> = {
  linear: (_, { name }) => name,
  relu: op('Relu'),
  relu6: (call, x) => clip(call, x, 0, 6),
  sigmoid: op('Sigmoid'),
  // That of Keras 2, which TF.js keeps; Keras 3 has another function of this name.
  hardSigmoid: op('HardSigmoid', { alpha: { float: 0.2 }, beta: { float: 0.5 } }),
  swish: ({ builder }, { name }) => builder.node('Mul', [name, builder.node('Sigmoid', [name])]),
  mish: ({ builder }, { name }) => {
    const gate = builder.node('Tanh', [builder.node('Softplus', [name])])
    return builder.node('Mul', [name, gate])
  },
  tanh: op('Tanh'),
  elu: op('Elu', { alpha: { float: 1 } }),
  selu: op('Selu', SELU),
  softplus: op('Softplus'),
  softsign: op('Softsign'),
  softmax: alongChannels('Softmax'),
  logSoftmax: alongChannels('LogSoftmax'),
  gelu,
  gelu_new: geluNew,
}

const applied = (call: LayerCall, x: TensorValue, formula: Formula): TensorValue => ({
  ...x,
  name: formula(call, x),
})

/** What the setting `activation` of a layer makes of a value. @throws UnsupportedSetting */
export const withActivation = (call: LayerCall, x: TensorValue): TensorValue => {
  const name = call.settings.string('activation')
  const formula = Object.hasOwn(FORMULAS, name) ? FORMULAS[name] : undefined
  if (formula === undefined) throw new UnsupportedSetting(`activation ${name}`)
  return applied(call, x, formula)
}

const layer =
  (formula: Formula): CompileLayer =>
  (call) =>
    applied(call, inputOf(call), formula)

const relu = layer((call, x) => {
  const max = call.settings.raw('maxValue')
  return max == null ? op('Relu')(call, x) : clip(call, x, 0, call.settings.number('maxValue'))
})

const withSetting = (opType: string, key: string): CompileLayer =>
  layer(({ builder, settings }, { name }) =>
    builder.node(opType, [name], { alpha: { float: settings.number(key) } }),
  )

/** One slope for each value of a sample, or one for all along the shared axes. */
const prelu = layer((call, x) => {
  const alpha = weightOf(call, 'alpha')
  const order = shapeInMemory({ ...x, shape: x.shape.map((_, axis) => axis) }).slice(1)
  const key = x.channelsFirst ? 'alpha, channels first' : 'alpha'
  const slope = constantOf(call, key, () =>
    permuted(
      alpha,
      order.map((axis) => Number(axis) - 1),
    ),
  )
  return call.builder.node('PRelu', [x.name, slope])
})

const softmax = layer((call, x) => {
  const given = call.settings.raw('axis')
  const axis = Array.isArray(given) && given.length === 1 ? given[0] : given
  const last = x.shape.length - 1
  // TF.js computes no softmax along another axis.
  if (axis !== -1 && axis !== last) throw new UnsupportedSetting(`axis ${JSON.stringify(given)}`)
  return alongChannels('Softmax')(call, x)
})

export const ACTIVATION_LAYERS: Readonly<Record<string, CompileLayer>> = {
  Activation: (call) => withActivation(call, inputOf(call)),
  ReLU: relu,
  LeakyReLU: withSetting('LeakyRelu', 'alpha'),
  PReLU: prelu,
  ELU: withSetting('Elu', 'alpha'),
  ThresholdedReLU: withSetting('ThresholdedRelu', 'theta'),
  Softmax: softmax,
}
