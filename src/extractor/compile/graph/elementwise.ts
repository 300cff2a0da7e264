// Owns operations on each value by itself, and on pairs of values: activations, arithmetic, softmax.

import type { Attributes } from '../../onnx/graph-builder.js'
import { axisInMemory } from '../tensor-value.js'
import { alignOperands } from './broadcast.js'
import { integerArithmetic } from './integers.js'
import {
  type Compile,
  floatInput,
  floatInputs,
  numberInput,
  type Operation,
  write,
} from './operation.js'
import { demand, refuse } from './refusal.js'
import { type Float, isIntegers, numberOf } from './value.js'
import { computed } from './writer.js'

/** What an activation needs beyond its input. */
export interface ActivationSettings {
  /** LeakyRelu: slope below zero. */
  readonly slope?: number
  /** Prelu: slopes below zero, which broadcast to the input. */
  readonly slopes?: Float
}

const simple =
  (opType: string, attributes?: Attributes) =>
  (operation: Operation, x: Float): Float => {
    const tensor = x.kind === 'computed' ? x.tensor : operation.writer.last(x)
    return computed(
      write(operation, opType, [tensor.name], attributes),
      x.dims,
      tensor.channelsFirst,
    )
  }

/** Between two constants; an infinite bound is none. */
const clip = (operation: Operation, x: Float, min: number, max: number): Float => {
  const { writer } = operation
  const tensor = x.kind === 'computed' ? x.tensor : writer.last(x)
  const bounds = [min, max].map((bound) => (Number.isFinite(bound) ? writer.scalar(bound) : ''))
  const name = write(operation, 'Clip', [tensor.name, ...bounds])
  return computed(name, x.dims, tensor.channelsFirst)
}

const leakyRelu = (operation: Operation, x: Float, { slope }: ActivationSettings): Float =>
  slope === undefined
    ? refuse('no slope')
    : simple('LeakyRelu', { alpha: { float: slope } })(operation, x)

const prelu = (operation: Operation, x: Float, { slopes }: ActivationSettings): Float => {
  if (slopes === undefined) return refuse('no slopes')
  const { names, dims, channelsFirst } = alignOperands([x, slopes], operation.writer)
  demand(dims.length === x.dims.length, 'slopes with more axes than the input')
  return computed(write(operation, 'PRelu', names), dims, channelsFirst)
}

type Activation = (operation: Operation, x: Float, settings: ActivationSettings) => Float

/** By the name that fused operations give them, in lower case. */
export const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['relu', simple('Relu')],
  ['relu6', (operation, x) => clip(operation, x, 0, 6)],
  ['elu', simple('Elu')],
  ['sigmoid', simple('Sigmoid')],
  ['leakyrelu', leakyRelu],
  ['prelu', prelu],
])

const unary =
  (activation: Activation, settings: (operation: Operation) => ActivationSettings = () => ({})) =>
  (operation: Operation): Float =>
    activation(operation, floatInput(operation, 0), settings(operation))

const square = (operation: Operation, x: Float): Float => {
  const tensor = x.kind === 'computed' ? x.tensor : operation.writer.last(x)
  const name = write(operation, 'Mul', [tensor.name, tensor.name])
  return computed(name, x.dims, tensor.channelsFirst)
}

const reciprocal = simple('Reciprocal')
const squareRoot = simple('Sqrt')

const softmax: Compile = (operation) => {
  const x = floatInput(operation, 0)
  demand(x.dims.length > 0, 'softmax of a scalar')
  const tensor = x.kind === 'computed' ? x.tensor : operation.writer.last(x)
  const axis = { int: axisInMemory(tensor, x.dims.length - 1) }
  return computed(
    write(operation, 'Softmax', [tensor.name], { axis }),
    x.dims,
    tensor.channelsFirst,
  )
}

const clipByValue: Compile = (operation) => {
  const bound = (index: number): number => {
    const known = numberOf(operation.inputs[index])
    return known ?? numberInput(operation, index)
  }
  const [min, max] = [bound(1), bound(2)]
  demand(min <= max, 'bounds the wrong way round')
  return clip(operation, floatInput(operation, 0), min, max)
}

const onPair = (operation: Operation, opType: string, values: readonly Float[]): Float => {
  const { names, dims, channelsFirst } = alignOperands(values, operation.writer)
  return computed(write(operation, opType, names), dims, channelsFirst)
}

/** On floats, and on whole numbers that are known while compiling. */
const binary =
  (opType: string): Compile =>
  (operation) =>
    operation.inputs.every(isIntegers)
      ? integerArithmetic(operation)
      : onPair(operation, opType, [floatInput(operation, 0), floatInput(operation, 1)])

const biasAdd: Compile = (operation) => {
  demand(operation.attribute('data_format', 'text', 'nhwc') === 'nhwc', 'channels first')
  return onPair(operation, 'Add', [floatInput(operation, 0), floatInput(operation, 1)])
}

const squaredDifference: Compile = (operation) => {
  const pair = [floatInput(operation, 0), floatInput(operation, 1)]
  return square(operation, onPair(operation, 'Sub', pair))
}

/** TF.js wants equal shapes, so nothing broadcasts. */
const addN: Compile = (operation) => onPair(operation, 'Sum', floatInputs(operation))

export const ELEMENTWISE: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ...[
    'Relu',
    'Elu',
    'Selu',
    'Sigmoid',
    'Tanh',
    'Softplus',
    'Exp',
    'Log',
    'Sqrt',
    'Neg',
    'Abs',
    'Erf',
  ].map((op): [string, Compile] => [op, unary(simple(op))]),
  ['Relu6', unary((operation, x) => clip(operation, x, 0, 6))],
  ['LeakyRelu', unary(leakyRelu, ({ attribute }) => ({ slope: attribute('alpha', 'float', 0.2) }))],
  ['Prelu', unary(prelu, (operation) => ({ slopes: floatInput(operation, 1) }))],
  ['Rsqrt', unary((operation, x) => reciprocal(operation, squareRoot(operation, x)))],
  ['Reciprocal', unary(reciprocal)],
  ['Square', unary(square)],
  ['Softmax', softmax],
  ['ClipByValue', clipByValue],
  ['Add', binary('Add')],
  ['AddV2', binary('Add')],
  ['Sub', binary('Sub')],
  ['Mul', binary('Mul')],
  ['RealDiv', binary('Div')],
  ['FloorDiv', integerArithmetic],
  ['Maximum', binary('Max')],
  ['Minimum', binary('Min')],
  ['Pow', binary('Pow')],
  ['SquaredDifference', squaredDifference],
  ['AddN', addN],
  ['BiasAdd', biasAdd],
])
