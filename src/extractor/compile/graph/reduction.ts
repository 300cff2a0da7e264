// Owns reductions over axes, of tensors and of whole numbers that are known.
import { axisInMemory, type TensorValue } from '../tensor-value.js'
import { ONE, product } from './dimension.js'
import { integers } from './integers.js'
import {
  axisOf,
  type Compile,
  floatInput,
  integersInput,
  numbersInput,
  write,
} from './operation.js'
import { demand } from './refusal.js'
import { isIntegers } from './value.js'
import { computed } from './writer.js'

/** Pooling over both spatial axes at once: onnxruntime has it in its own layout, reductions it has not. */
const GLOBAL_POOLING: Readonly<Record<string, string>> = {
  ReduceMean: 'GlobalAveragePool',
  ReduceMax: 'GlobalMaxPool',
}

const isSpatial = (axes: readonly number[]): boolean =>
  axes.length === 2 && axes.includes(1) && axes.includes(2)

/** Whether the axes that are left have TF.js's order. */
const staysInOrder = ({ channelsFirst }: TensorValue, axes: readonly number[]): boolean =>
  !channelsFirst || axes.includes(3) || (axes.includes(1) && axes.includes(2))

const reduce =
  (opType: string): Compile =>
  (operation) => {
    const { writer, attribute } = operation
    const x = floatInput(operation, 0)
    const axes = [...new Set(numbersInput(operation, 1).map((axis) => axisOf(axis, x.dims.length)))]
    // ONNX would reduce all axes where TF.js reduces none.
    if (axes.length === 0) return x
    const keep = attribute('keep_dims', 'bool', false)
    const dims = x.dims.flatMap((dim, axis) => (axes.includes(axis) ? (keep ? [ONE] : []) : [dim]))
    const stored = x.kind === 'computed' ? x.tensor : writer.last(x)
    const tensor = keep || staysInOrder(stored, axes) ? stored : writer.last(x)
    const channelsFirst = keep && tensor.channelsFirst
    const global = GLOBAL_POOLING[opType]
    if (tensor.channelsFirst && isSpatial(axes) && global !== undefined) {
      const pooled = write(operation, global, [tensor.name])
      const name = keep ? pooled : write(operation, 'Squeeze', [pooled, writer.ints([2, 3])])
      return computed(name, dims, channelsFirst)
    }
    const inMemory = axes.map((axis) => axisInMemory(tensor, axis)).sort((a, b) => a - b)
    const name = write(operation, opType, [tensor.name, writer.ints(inMemory)], {
      keepdims: { int: keep ? 1 : 0 },
    })
    return computed(name, dims, channelsFirst)
  }

/** Also of a list of sizes, as graphs compute the length of what they flatten. */
const reduceProduct: Compile = (operation) => {
  const [list] = operation.inputs
  if (list === undefined || !isIntegers(list)) return reduce('ReduceProd')(operation)
  demand(list.shape.length === 1 && integersInput(operation, 1).values.length === 1, 'no list')
  axisOf(numbersInput(operation, 1)[0] ?? 0, 1)
  const shape = operation.attribute('keep_dims', 'bool', false) ? [1] : []
  return integers([product(list.values)], shape)
}

export const REDUCTIONS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['Mean', reduce('ReduceMean')],
  ['Max', reduce('ReduceMax')],
  ['Min', reduce('ReduceMin')],
  ['Sum', reduce('ReduceSum')],
  ['Prod', reduceProduct],
])
