// Owns arithmetic on whole numbers that are known while compiling: what converters write to compute a
// shape. Nothing of it reaches the ONNX graph.
import { type Dimension, fixed, product, quotient, same, sizeOf } from './dimension.js'
import { integersInput, type Operation } from './operation.js'
import { demand, refuse } from './refusal.js'
import type { Integers } from './value.js'

const INT32_LIMIT = 2 ** 31

export const integers = (values: readonly Dimension[], shape?: readonly number[]): Integers => ({
  kind: 'integers',
  shape: shape ?? [values.length],
  values,
})

const onNumbers =
  (compute: (a: number, b: number) => number) =>
  (a: Dimension, b: Dimension): Dimension => {
    const [m, n] = [sizeOf(a), sizeOf(b)]
    if (m === null || n === null) return refuse('arithmetic on a size of the input')
    const result = compute(m, n)
    demand(Number.isInteger(result) && Math.abs(result) < INT32_LIMIT, 'a number beyond int32')
    return fixed(result)
  }

const isZero = (dim: Dimension): boolean => sizeOf(dim) === 0

/** TF.js divides int32 by int32 and rounds down. */
const floorQuotient = onNumbers((m, n) => Math.floor(m / n))

/** By operation. Products and quotients may contain sizes of the input, the rest may not. */
const ARITHMETIC: ReadonlyMap<string, (a: Dimension, b: Dimension) => Dimension> = new Map([
  ['Mul', (a, b) => product([a, b])],
  [
    'RealDiv',
    (a, b) => (isZero(b) ? refuse('division by 0') : (quotient(a, b) ?? floorQuotient(a, b))),
  ],
  ['Add', (a, b) => (isZero(a) ? b : isZero(b) ? a : onNumbers((m, n) => m + n)(a, b))],
  ['Sub', (a, b) => (isZero(b) ? a : same(a, b) ? fixed(0) : onNumbers((m, n) => m - n)(a, b))],
  ['Maximum', (a, b) => (same(a, b) ? a : onNumbers(Math.max)(a, b))],
  ['Minimum', (a, b) => (same(a, b) ? a : onNumbers(Math.min)(a, b))],
])

const ALIASES: Readonly<Record<string, string>> = { AddV2: 'Add', FloorDiv: 'RealDiv' }

/** Of two lists of one length, or of a list and a single number. */
export const integerArithmetic = (operation: Operation): Integers => {
  const { op } = operation.node
  const compute = ARITHMETIC.get(ALIASES[op] ?? op) ?? refuse('arithmetic on whole numbers')
  const [a, b] = [integersInput(operation, 0), integersInput(operation, 1)]
  const [m, n] = [a.values.length, b.values.length]
  demand(a.shape.length <= 1 && b.shape.length <= 1, 'no lists')
  demand(m === n || m === 1 || n === 1, 'lists of different lengths')
  const longer = m === n ? (a.shape.length >= b.shape.length ? a : b) : m > n ? a : b
  const values = Array.from({ length: Math.max(m, n) }, (_, i) => {
    const x = a.values[m === 1 ? 0 : i]
    const y = b.values[n === 1 ? 0 : i]
    return x === undefined || y === undefined ? refuse('an empty list') : compute(x, y)
  })
  return integers(values, longer.shape)
}
