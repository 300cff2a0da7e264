// Owns poolings over windows. TF.js and ONNX both leave padding out of averages.
import { type Compile, floatInput, type Operation, write } from './operation.js'
import { refuse } from './refusal.js'
import type { Float } from './value.js'
import { readWindow, slide, windowAttributes } from './window.js'
import { computed } from './writer.js'

/** The smallest float above 0. */
const ALMOST_ZERO = 2 ** -149

/**
 * onnxruntime 1.30 moves a Pad of zeros into the pooling after it. The padding of a MaxPool is minus
 * infinity, so that a border of negative values has another maximum then; and a padding that is not
 * smaller than the window is an error. A Pad of almost zero it leaves alone.
 */
const keepZeros = (operation: Operation, x: Float): Float => {
  if (x.kind === 'constant' || x.padded === undefined) return x
  const { writer } = operation
  const { from, pads } = x.padded
  const inputs = [from.name, writer.ints(pads), writer.scalar(ALMOST_ZERO)]
  const name = write(operation, 'Pad', inputs, { mode: { string: 'constant' } })
  return computed(name, x.dims, from.channelsFirst)
}

const pool =
  (opType: string): Compile =>
  (operation) => {
    const { writer } = operation
    const x = floatInput(operation, 0)
    const [batch, height, width, channels, ...more] = x.dims
    if (batch === undefined || height === undefined || width === undefined)
      return refuse('no image')
    if (channels === undefined || more.length > 0) return refuse('an input that is no image')
    const window = readWindow(operation, null)
    if (window.padding.kind === 'explicit' && window.padding.pads.flat().some((pad) => pad > 0))
      return refuse('explicit padding, which TF.js does not read here')
    const spatial = slide(window, height, width, writer.symbols.derived)
    const name = write(
      operation,
      opType,
      [writer.first(keepZeros(operation, x)).name],
      windowAttributes(window, height, width),
    )
    return computed(name, [batch, ...spatial, channels], true)
  }

export const POOLINGS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['MaxPool', pool('MaxPool')],
  ['AvgPool', pool('AveragePool')],
])
