// Owns padding.
import { axisInMemory } from '../tensor-value.js'
import { fixed, sizeOf } from './dimension.js'
import {
  type Compile,
  floatInput,
  integersInput,
  numbersOf,
  type Operation,
  write,
} from './operation.js'
import { demand, refuse } from './refusal.js'
import { numberOf } from './value.js'
import { computed } from './writer.js'

const MAX_PAD = 2 ** 16

/** Before and after, an axis a pair, in TF.js's order. */
const padsOf = (operation: Operation, rank: number): (readonly [number, number])[] => {
  const { shape, values } = integersInput(operation, 1)
  demand(shape.length === 2 && shape[0] === rank && shape[1] === 2, 'padding of other axes')
  const numbers = numbersOf(values)
  demand(
    numbers.every((pad) => pad >= 0 && pad <= MAX_PAD),
    'padding out of range',
  )
  return Array.from({ length: rank }, (_, axis) => [
    numbers[2 * axis] ?? 0,
    numbers[2 * axis + 1] ?? 0,
  ])
}

const pad = (operation: Operation, mode: 'constant' | 'reflect', value: number) => {
  const { writer } = operation
  const x = floatInput(operation, 0)
  const pads = padsOf(operation, x.dims.length)
  const dims = x.dims.map((dim, axis) => {
    const [before, after] = pads[axis] ?? [0, 0]
    if (before === 0 && after === 0) return dim
    const size = sizeOf(dim)
    if (size === null) return writer.symbols.derived(dim, `pad ${before + after}`)
    demand(mode === 'constant' || Math.max(before, after) < size, 'reflection beyond the other end')
    return fixed(size + before + after)
  })
  const tensor = x.kind === 'computed' ? x.tensor : writer.last(x)
  const [starts, ends] = [x.dims.map(() => 0), x.dims.map(() => 0)]
  pads.forEach(([before, after], axis) => {
    const at = axisInMemory(tensor, axis)
    starts[at] = before
    ends[at] = after
  })
  const inputs = [tensor.name, writer.ints([...starts, ...ends])]
  if (mode === 'constant') inputs.push(writer.scalar(value))
  const name = write(operation, 'Pad', inputs, { mode: { string: mode } })
  const result = computed(name, dims, tensor.channelsFirst)
  const zeros = mode === 'constant' && value === 0
  return zeros ? { ...result, padded: { from: tensor, pads: [...starts, ...ends] } } : result
}

const padWith: Compile = (operation) => {
  const value = numberOf(operation.inputs[2]) ?? refuse('a value to pad with that is not known')
  return pad(operation, 'constant', value)
}

/** ONNX has no counterpart of `symmetric`, which repeats the border. */
const mirror: Compile = (operation) => {
  demand(operation.attribute('mode', 'text') === 'reflect', 'a mirror that repeats the border')
  return pad(operation, 'reflect', 0)
}

export const PADDINGS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  [
    'Pad',
    (operation) => pad(operation, 'constant', operation.attribute('constant_value', 'float', 0)),
  ],
  ['PadV2', padWith],
  ['MirrorPad', mirror],
])
