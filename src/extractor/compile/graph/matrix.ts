// Owns matrix products, with and without a fused bias and activation.
import { alignOperands, broadcastDims } from './broadcast.js'
import { type Dimension, same, sizeOf } from './dimension.js'
import { fusedActivation } from './fused.js'
import { type Compile, floatInput, type Operation, write } from './operation.js'
import { demand, refuse } from './refusal.js'
import type { Float } from './value.js'
import { computed } from './writer.js'

interface Factor {
  readonly value: Float
  readonly transposed: boolean
  readonly batch: readonly Dimension[]
  readonly rows: Dimension
  readonly columns: Dimension
}

const factorOf = (operation: Operation, index: number, flag: string): Factor => {
  const value = floatInput(operation, index)
  const transposed = operation.attribute(flag, 'bool', false)
  const [rows, columns] = value.dims.slice(-2)
  if (rows === undefined || columns === undefined) return refuse('no matrix')
  const batch = value.dims.slice(0, -2)
  return transposed
    ? { value, transposed, batch, rows: columns, columns: rows }
    : { value, transposed, batch, rows, columns }
}

/** MatMul has no flags. */
const asMatrix = (operation: Operation, { value, transposed }: Factor): string => {
  const { name, shape } = operation.writer.last(value)
  if (!transposed) return name
  const axes = shape.map((_, axis) => axis)
  const perm = [...axes.slice(0, -2), axes.length - 1, axes.length - 2]
  return write(operation, 'Transpose', [name], { perm: { ints: perm } })
}

interface Flags {
  readonly a: string
  readonly b: string
}

const multiply = (operation: Operation, flags: Flags, bias?: Float): Float => {
  const { writer } = operation
  const a = factorOf(operation, 0, flags.a)
  const b = factorOf(operation, 1, flags.b)
  const known = sizeOf(a.columns) !== null && sizeOf(b.rows) !== null
  demand(!known || same(a.columns, b.rows), 'matrices that do not fit')
  const dims = [...broadcastDims([a.batch, b.batch], writer), a.rows, b.columns]
  const [size, ...more] = bias?.dims ?? []
  const fits = size !== undefined && more.length === 0 && same(size, b.columns)
  demand(bias === undefined || fits, 'a bias of another shape')
  if (dims.length === 2) {
    const inputs = [a.value, b.value, ...(bias ? [bias] : [])].map(
      (value) => writer.last(value).name,
    )
    const [transA, transB] = [a, b].map(({ transposed }) => ({ int: transposed ? 1 : 0 }))
    if (transA === undefined || transB === undefined) return refuse('no matrix')
    return computed(write(operation, 'Gemm', inputs, { transA, transB }), dims)
  }
  const name = write(operation, 'MatMul', [asMatrix(operation, a), asMatrix(operation, b)])
  const result = computed(name, dims)
  if (bias === undefined) return result
  const { names } = alignOperands([result, bias], writer)
  return computed(write(operation, 'Add', names), dims)
}

const MATMUL: Flags = { a: 'transpose_a', b: 'transpose_b' }

const product =
  (flags: Flags): Compile =>
  (operation) =>
    multiply(operation, flags)

const fusedProduct: Compile = (operation) =>
  fusedActivation(operation, 'slope', (bias) => multiply(operation, MATMUL, bias))

export const MATRICES: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['MatMul', product(MATMUL)],
  ['BatchMatMulV2', product({ a: 'adj_x', b: 'adj_y' })],
  ['_FusedMatMul', fusedProduct],
])
