// Owns weights and moments of a group as they were after the last finished epoch, head by head. Knows no
// arithmetic: a host takes them over when a group is opened, and writes them back when it is asked to.
import type { Weights } from './layers.js'
import {
  type GroupShape,
  parametersIn,
  readRuns,
  runsOf,
  stateLength,
  writeRuns,
} from './parameter.js'

export interface GroupState {
  readonly shape: GroupShape
  /** stateLength(shape) numbers as they lie. */
  readonly values: Float32Array
  write(head: number, weights: Weights): void
  /** A copy. */
  read(head: number): Float32Array[]
  /** Whether all weights are. */
  isFinite(): boolean
  /** Takes over weights and moments of a head of another group of the same layers. */
  take(head: number, from: GroupState, other: number): void
}

/** A difference of a number with itself is 0 unless it is not finite. */
const allFinite = (values: Float32Array): boolean => {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number
    if (value - value !== 0) return false
  }
  return true
}

/** @param values stateLength(shape) numbers; zeros, or the state of such a group. */
export const createGroupState = (shape: GroupShape, values: Float32Array): GroupState => {
  if (values.length !== stateLength(shape)) throw new RangeError('a state of other shapes')
  const { heads } = shape
  const parameters = parametersIn(values, shape)
  return {
    shape,
    values,
    write: (head, weights) => {
      for (const [index, parameter] of parameters.entries())
        writeRuns(parameter.weights, runsOf(parameter, heads, head), weights[index] as Float32Array)
    },
    read: (head) =>
      parameters.map((parameter) => readRuns(parameter.weights, runsOf(parameter, heads, head))),
    isFinite: () => parameters.every(({ weights }) => allFinite(weights)),
    take: (head, from, other) => {
      for (const [index, source] of parametersIn(from.values, from.shape).entries()) {
        const parameter = parameters[index] as (typeof parameters)[number]
        const runs = runsOf(source, from.shape.heads, other)
        for (const slot of ['weights', 'm', 'v'] as const) {
          if (source[slot].length === 0) continue
          writeRuns(parameter[slot], runsOf(parameter, heads, head), readRuns(source[slot], runs))
        }
      }
    },
  }
}
