// Owns StridedSlice: Python's x[1:, ..., 0, newaxis] as begin, end, strides and five bit masks.
import { type Dimension, fixed, ONE, sizeOf } from './dimension.js'
import { integers } from './integers.js'
import {
  type Compile,
  floatInput,
  input,
  numbersInput,
  type Operation,
  write,
} from './operation.js'
import { demand, refuse } from './refusal.js'
import { type Range, sliceFloat, TO_THE_END } from './slice.js'
import { isIntegers, type Value } from './value.js'
import { computed } from './writer.js'

/** What one position of the specification does. */
type Item =
  | { readonly kind: 'new axis' }
  | { readonly kind: 'whole axis' }
  | { readonly kind: 'index'; readonly index: number }
  /** Null: from the first, or to the last. */
  | {
      readonly kind: 'range'
      readonly begin: number | null
      readonly end: number | null
      readonly step: number
    }

const MASKS = [
  'begin_mask',
  'end_mask',
  'ellipsis_mask',
  'new_axis_mask',
  'shrink_axis_mask',
] as const

/** One item for each axis of the input, and one for each new axis, in order. */
const readItems = (operation: Operation, rank: number): Item[] => {
  const [begin, end, steps] = [1, 2, 3].map((index) => numbersInput(operation, index))
  if (!begin || !end || !steps) return refuse('no slice')
  demand(begin.length === end.length && begin.length === steps.length, 'lists of different lengths')
  demand(begin.length <= 16, 'too many axes')
  const masks = MASKS.map((name) => operation.attribute(name, 'int', 0))
  const bit = (mask: (typeof MASKS)[number], i: number): boolean =>
    (((masks[MASKS.indexOf(mask)] ?? 0) >> i) & 1) === 1
  const items = begin.flatMap((first, i): Item[] => {
    if (bit('ellipsis_mask', i)) {
      const others = begin.filter((_, j) => j !== i && !bit('new_axis_mask', j)).length
      demand(others <= rank, 'more axes than there are')
      return Array.from({ length: rank - others }, () => ({ kind: 'whole axis' }))
    }
    if (bit('new_axis_mask', i)) return [{ kind: 'new axis' }]
    if (bit('shrink_axis_mask', i)) return [{ kind: 'index', index: first }]
    return [
      {
        kind: 'range',
        begin: bit('begin_mask', i) ? null : first,
        end: bit('end_mask', i) ? null : (end[i] ?? null),
        step: steps[i] ?? 1,
      },
    ]
  })
  demand(begin.filter((_, i) => bit('ellipsis_mask', i)).length <= 1, 'two ellipses')
  const covered = items.filter(({ kind }) => kind !== 'new axis').length
  demand(covered <= rank, 'more axes than there are')
  return [...items, ...Array.from({ length: rank - covered }, (): Item => ({ kind: 'whole axis' }))]
}

const clamp = (value: number, size: number): number =>
  Math.min(Math.max(value < 0 ? value + size : value, 0), size)

/** Null: the whole axis. */
const rangeOf = (operation: Operation, dim: Dimension, axis: number, item: Item): Range | null => {
  const size = sizeOf(dim)
  if (item.kind === 'index') {
    const index = item.index < 0 && size !== null ? item.index + size : item.index
    demand(size !== null ? index >= 0 && index < size : index >= 0, 'an index beyond the end')
    return { axis, start: index, end: index + 1, step: 1, size: ONE }
  }
  if (item.kind !== 'range') return null
  const { begin, end, step } = item
  demand(step > 0, 'a step backwards')
  if ((begin ?? 0) === 0 && end === null && step === 1) return null
  if (size === null) {
    const rule = `stride ${begin} ${end} ${step}`
    const taken = operation.writer.symbols.derived(dim, rule)
    return { axis, start: begin ?? 0, end: end ?? TO_THE_END, step, size: taken }
  }
  const [start, stop] = [clamp(begin ?? 0, size), clamp(end ?? size, size)]
  const count = Math.ceil((stop - start) / step)
  demand(count > 0, 'an empty slice')
  return { axis, start, end: stop, step, size: fixed(count) }
}

export const stridedSlice: Compile = (operation) => {
  const x: Value = input(operation, 0)
  const dims = isIntegers(x) ? x.shape.map(fixed) : floatInput(operation, 0).dims
  const items = readItems(operation, dims.length)
  const onAxes = items.filter(({ kind }) => kind !== 'new axis')
  const ranges = dims.flatMap((dim, axis) => {
    const item = onAxes[axis] ?? refuse('fewer axes than there are')
    return rangeOf(operation, dim, axis, item) ?? []
  })
  const isIndex = ({ kind }: Item): boolean => kind === 'index'
  if (isIntegers(x)) {
    demand(x.shape.length === 1 && items.length === 1, 'a slice of a table')
    const { start, end, step } = ranges[0] ?? { start: 0, end: x.values.length, step: 1 }
    const values = x.values.filter((_, i) => i >= start && i < end && (i - start) % step === 0)
    return integers(values, items.some(isIndex) ? [] : [values.length])
  }
  const sliced = sliceFloat(operation, floatInput(operation, 0), ranges)
  const gone = onAxes.flatMap((item, axis) => (isIndex(item) ? [axis] : []))
  const left = items.filter((item) => !isIndex(item))
  const made = left.flatMap((item, axis) => (item.kind === 'new axis' ? [axis] : []))
  if (gone.length === 0 && made.length === 0) return sliced
  const { writer } = operation
  let { name } = writer.last(sliced)
  if (gone.length > 0) name = write(operation, 'Squeeze', [name, writer.ints(gone)])
  if (made.length > 0) name = write(operation, 'Unsqueeze', [name, writer.ints(made)])
  const kept = sliced.dims.filter((_, axis) => !gone.includes(axis))
  let next = 0
  const result = left.map(({ kind }) => {
    if (kind === 'new axis') return ONE
    next += 1
    return kept[next - 1] ?? refuse('fewer axes than there are')
  })
  return computed(name, result)
}
