// Owns BatchNormalization with the statistics that were learnt.
import { sizeOf } from './dimension.js'
import { type Compile, floatInput, input, type Operation, write } from './operation.js'
import { demand, refuse } from './refusal.js'
import type { Constant, Float } from './value.js'
import { computed } from './writer.js'

interface Statistics {
  readonly scale: Constant
  readonly offset: Constant
  readonly mean: Constant
  readonly variance: Constant
}

const statisticsOf = (operation: Operation, channels: number): Statistics => {
  const [scale, offset, mean, variance] = [1, 2, 3, 4].map((index) => {
    const value = input(operation, index)
    if (value.kind !== 'constant') return refuse('statistics that are no weights')
    demand(value.shape.length === 1 && value.shape[0] === channels, 'statistics of other channels')
    return value
  })
  if (!scale || !offset || !mean || !variance) return refuse('no statistics')
  return { scale, offset, mean, variance }
}

/** As x * factor + rest: two passes, but in whatever order the channels are. */
const affine = (operation: Operation, x: Float, from: Statistics, epsilon: number): Float => {
  const { writer } = operation
  const key = JSON.stringify([...Object.values(from).map(({ name }) => name), epsilon])
  const factors = (): Float64Array => {
    const variance = from.variance.data()
    return Float64Array.from(
      from.scale.data(),
      (s, i) => s / Math.sqrt((variance[i] ?? 0) + epsilon),
    )
  }
  const factor = writer.derived(`factors ${key}`, () => Float32Array.from(factors()))
  const rest = writer.derived(`rests ${key}`, () => {
    const [mean, by] = [from.mean.data(), factors()]
    return from.offset.data().map((b, i) => b - (mean[i] ?? 0) * (by[i] ?? 0))
  })
  const scaled = write(operation, 'Mul', [writer.last(x).name, factor])
  return computed(write(operation, 'Add', [scaled, rest]), x.dims)
}

/** TF.js never looks at `is_training`; a graph that asks for the batch's own statistics is refused. */
const batchNorm: Compile = (operation) => {
  const { attribute, writer } = operation
  demand(attribute('data_format', 'text', 'nhwc') === 'nhwc', 'channels first')
  demand(!attribute('is_training', 'bool', false), 'statistics of the batch')
  const epsilon = attribute('epsilon', 'float', 0.001)
  demand(epsilon >= 0, 'a negative epsilon')
  const x = floatInput(operation, 0)
  const last = x.dims.at(-1)
  const channels = last === undefined ? null : sizeOf(last)
  if (channels === null) return refuse('an unknown number of channels')
  const from = statisticsOf(operation, channels)
  if (x.kind === 'constant' || !x.tensor.channelsFirst) return affine(operation, x, from, epsilon)
  const names = [from.scale, from.offset, from.mean, from.variance].map(
    (constant) => writer.last(constant).name,
  )
  const name = write(operation, 'BatchNormalization', [x.tensor.name, ...names], {
    epsilon: { float: epsilon },
  })
  return computed(name, x.dims, true)
}

export const NORMALIZATIONS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['FusedBatchNorm', batchNorm],
  ['FusedBatchNormV2', batchNorm],
  ['FusedBatchNormV3', batchNorm],
])
