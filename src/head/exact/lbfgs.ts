// Owns L-BFGS: one iteration as a pure generator that asks for the objective at points, so that many
// minimisations can be evaluated together. Knows nothing of heads or features.
import { type Sample, searchStep } from './line-search.js'

/** The objective at a point. */
export interface Evaluation {
  readonly loss: number
  /** As long as the point. */
  readonly gradient: Float64Array
}

/** One change of the point and of the gradient. */
export interface Correction {
  readonly point: Float64Array
  readonly gradient: Float64Array
}

/** Between two iterations; all that the next one depends on. Never written to. */
export interface LbfgsState extends Evaluation {
  readonly point: Float64Array
  /** The newest last. */
  readonly corrections: readonly Correction[]
}

/** Yields points, receives the objective there; returns the next state, or null where nothing is better. */
export type Iteration = Generator<Float64Array, LbfgsState | null, Evaluation>

const HISTORY = 10
/** Corrections with less curvature than this, relative to the gradient's change, would spoil the scale. */
const LEAST_CURVATURE = 1e-12

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i += 1) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** a + factor * b */
const plus = (a: Float64Array, factor: number, b: Float64Array): Float64Array =>
  a.map((value, i) => value + factor * (b[i] as number))

const addTo = (a: Float64Array, factor: number, b: Float64Array): void => {
  for (let i = 0; i < a.length; i += 1) a[i] = (a[i] as number) + factor * (b[i] as number)
}

export const largestOf = (values: Float64Array): number => {
  let largest = 0
  for (const value of values) largest = Math.max(largest, Math.abs(value))
  return largest
}

/** Minus the inverse Hessian's estimate times the gradient: the two loops of Liu and Nocedal (1989). */
const directionOf = ({ gradient, corrections }: LbfgsState): Float64Array => {
  const direction = gradient.map((value) => -value)
  const newestFirst = [...corrections].reverse()
  const weights = newestFirst.map((own) => {
    const weight = dot(own.point, direction) / dot(own.point, own.gradient)
    addTo(direction, -weight, own.gradient)
    return weight
  })
  const newest = newestFirst[0]
  if (newest !== undefined) {
    const scale = dot(newest.point, newest.gradient) / dot(newest.gradient, newest.gradient)
    for (let i = 0; i < direction.length; i += 1) direction[i] = (direction[i] as number) * scale
  }
  for (let index = newestFirst.length - 1; index >= 0; index -= 1) {
    const own = newestFirst[index] as Correction
    const change = dot(own.gradient, direction) / dot(own.point, own.gradient)
    addTo(direction, (weights[index] as number) - change, own.point)
  }
  return direction
}

const withCorrection = (from: LbfgsState, point: Float64Array, to: Evaluation): LbfgsState => {
  const change = {
    point: plus(point, -1, from.point),
    gradient: plus(to.gradient, -1, from.gradient),
  }
  const curvature = dot(change.point, change.gradient)
  const isUseful = curvature > LEAST_CURVATURE * dot(change.gradient, change.gradient)
  const corrections = isUseful ? [...from.corrections, change].slice(-HISTORY) : from.corrections
  return { point, loss: to.loss, gradient: to.gradient, corrections }
}

/** The state at a first point. */
export function* startAt(point: Float64Array): Iteration {
  const { loss, gradient } = yield point
  return { point, loss, gradient, corrections: [] }
}

/** One step along a direction. */
function* stepAlong(from: LbfgsState, direction: Float64Array, first: number): Iteration {
  const slope = dot(from.gradient, direction)
  if (!(slope < 0)) return null
  const search = searchStep({ step: 0, value: from.loss, slope }, first)
  let next = search.next()
  let last: { readonly point: Float64Array; readonly evaluation: Evaluation } | null = null
  while (next.done !== true) {
    const point = plus(from.point, next.value, direction)
    const evaluation = yield point
    last = { point, evaluation }
    next = search.next({ value: evaluation.loss, slope: dot(evaluation.gradient, direction) })
  }
  const found: Sample | null = next.value
  return found === null || last === null ? null : withCorrection(from, last.point, last.evaluation)
}

/**
 * One iteration of L-BFGS (Liu and Nocedal, "On the limited memory BFGS method for large scale
 * optimization", 1989) with a history of 10. Where its direction leads nowhere the history is forgotten
 * and the gradient followed, once.
 */
export function* iterate(state: LbfgsState): Iteration {
  if (state.corrections.length > 0) {
    const next = yield* stepAlong(state, directionOf(state), 1)
    if (next !== null) return next
  }
  const steepest = { ...state, corrections: [] }
  const length = Math.sqrt(dot(state.gradient, state.gradient))
  return yield* stepAlong(steepest, directionOf(steepest), 1 / length)
}
