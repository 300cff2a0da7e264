// Owns how the numbers of many heads lie in one block: the arrays of each parameter, and which of their
// numbers belong to one head. Pure.
import type { LayerShape } from './layers.js'

/** The kernels or the biases of one layer of all heads, with the state of their optimizer. */
export interface Parameter {
  /** 1 for biases. */
  readonly inputs: number
  readonly units: number
  readonly isKernel: boolean
  /** Kernels of the first layer lie side by side, [inputs, heads, units]; all else is [heads, ...]. */
  readonly sideBySide: boolean
  readonly weights: Float32Array
  readonly m: Float32Array
  /** Empty for sgd. */
  readonly v: Float32Array
}

/** What heads of a group have in common that says how their numbers lie. */
export interface GroupShape {
  readonly heads: number
  readonly layers: readonly LayerShape[]
  readonly optimizer: 'adam' | 'sgd'
}

/** Numbers of a vector of the kernels: every array begins at a multiple. */
export const LANES = 4
export const padded = (count: number): number => Math.ceil(count / LANES) * LANES

const shapesOf = ({ layers }: Pick<GroupShape, 'layers'>) =>
  layers.flatMap(({ inputs, units }, layer) => [
    { inputs, units, isKernel: true, sideBySide: layer === 0 },
    { inputs: 1, units, isKernel: false, sideBySide: false },
  ])

/** Numbers of an array of all parameters, each padded. */
export const arrayLength = ({ heads, layers }: Pick<GroupShape, 'heads' | 'layers'>): number =>
  shapesOf({ layers }).reduce((sum, { inputs, units }) => sum + padded(inputs * units * heads), 0)

/** Numbers of weights and moments: what a checkpoint keeps of a group. */
export const stateLength = (shape: GroupShape): number =>
  (shape.optimizer === 'adam' ? 3 : 2) * arrayLength(shape)

/** One array after the other in `values`, from `begin` on. */
export const arraysIn = (
  values: Float32Array,
  begin: number,
  { heads, layers }: Pick<GroupShape, 'heads' | 'layers'>,
): Float32Array[] => {
  let at = begin
  return shapesOf({ layers }).map(({ inputs, units }) => {
    const length = inputs * units * heads
    const array = values.subarray(at, at + length)
    at += padded(length)
    return array
  })
}

/** @param values stateLength(shape) numbers or more; all weights, then all first moments, then all second ones. */
export const parametersIn = (values: Float32Array, shape: GroupShape): Parameter[] => {
  const length = arrayLength(shape)
  const weights = arraysIn(values, 0, shape)
  const m = arraysIn(values, length, shape)
  const v = shape.optimizer === 'adam' ? arraysIn(values, 2 * length, shape) : []
  return shapesOf(shape).map((one, index) => ({
    ...one,
    weights: weights[index] as Float32Array,
    m: m[index] as Float32Array,
    v: v[index] ?? new Float32Array(0),
  }))
}

type Shape = Pick<Parameter, 'inputs' | 'units' | 'sideBySide'>

/** Runs of numbers that belong to one head: [offset, length] each. */
export const runsOf = (
  { inputs, units, sideBySide }: Shape,
  heads: number,
  head: number,
): [number, number][] => {
  if (!sideBySide) return [[head * inputs * units, inputs * units]]
  return Array.from({ length: inputs }, (_, row) => [(row * heads + head) * units, units])
}

export const readRuns = (values: Float32Array, runs: readonly [number, number][]): Float32Array => {
  const result = new Float32Array(runs.reduce((sum, [, length]) => sum + length, 0))
  let at = 0
  for (const [offset, length] of runs) {
    result.set(values.subarray(offset, offset + length), at)
    at += length
  }
  return result
}

export const writeRuns = (
  values: Float32Array,
  runs: readonly [number, number][],
  from: Float32Array,
): void => {
  let at = 0
  for (const [offset, length] of runs) {
    values.set(from.subarray(at, at + length), offset)
    at += length
  }
}
