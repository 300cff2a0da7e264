// Owns how far one exact head is: the iteration that it is in, its history, and why it ended. Pure: told
// what the objective is at the points that it asks for.
import type { ExactSpec } from '../spec.js'
import type { EpochMetrics } from '../types.js'
import type { TrialResult } from './evaluate-together.js'
import {
  type Evaluation,
  type Iteration,
  iterate,
  type LbfgsState,
  largestOf,
  startAt,
} from './lbfgs.js'

/** Why a head takes no more steps. `stalled`: no better point can be told from this one in float32. */
export type Ending = 'converged' | 'exhausted' | 'stalled' | 'diverged'

/** All that the rest of a run depends on. */
export interface HeadProgress {
  /** After the last finished iteration; null before the first evaluation. */
  readonly state: LbfgsState | null
  /** What the iteration under way has been told so far. */
  readonly told: readonly Evaluation[]
  /** One entry an iteration; of a head that is optimal where it starts, its start. */
  readonly history: readonly EpochMetrics[]
  /** Metrics at the start; null before the first evaluation. */
  readonly start: EpochMetrics | null
  readonly ending: Ending | null
}

export const FRESH: HeadProgress = { state: null, told: [], history: [], start: null, ending: null }

export interface HeadRun {
  readonly progress: HeadProgress
  /** The point at which the objective is wanted; null when the head has ended. */
  readonly wanted: Float64Array | null
  /** Takes in the objective at `wanted`. Returns the metrics of an iteration that this finished. */
  take(result: TrialResult): EpochMetrics | null
}

const isEverywhereFinite = ({ loss, gradient }: Evaluation): boolean =>
  Number.isFinite(loss) && gradient.every((value) => Number.isFinite(value))

const endingOf = (spec: ExactSpec, state: LbfgsState, iterations: number): Ending | null => {
  if (largestOf(state.gradient) <= spec.tolerance) return 'converged'
  return iterations >= spec.epochs ? 'exhausted' : null
}

/** @param size parameters of the head. */
export const createHeadRun = (spec: ExactSpec, size: number, from: HeadProgress): HeadRun => {
  let progress = from
  let wanted: Float64Array | null = null

  const advance = (next: IteratorResult<Float64Array, LbfgsState | null>): LbfgsState | null => {
    wanted = next.done === true ? null : next.value
    return next.done === true ? next.value : null
  }

  /** The iteration after the last finished one, told again what it was told before an interruption. */
  const begin = (): Iteration => {
    const { state, told } = progress
    // At zero a convex objective prefers no class, and every seed has the same optimum.
    const iteration = state === null ? startAt(new Float64Array(size)) : iterate(state)
    advance(iteration.next())
    for (const evaluation of told) advance(iteration.next(evaluation))
    return iteration
  }

  /** Ends, with its start for a history where there was no iteration. */
  const end = (ending: Ending): EpochMetrics | null => {
    const { history, start } = progress
    const only = history.length === 0 ? start : null
    progress = { ...progress, ending, told: [], history: only === null ? history : [only] }
    wanted = null
    return only
  }

  const takeStart = (state: LbfgsState, { train, validation }: TrialResult) => {
    const start = train === null ? null : { epoch: 1, train, validation }
    progress = { ...progress, state, start, told: [] }
    const ending = endingOf(spec, state, 0)
    if (ending !== null) return end(ending)
    iteration = begin()
    return null
  }

  const takeIteration = (state: LbfgsState, { train, validation }: TrialResult) => {
    const epoch = progress.history.length + 1
    const metrics = train === null ? null : { epoch, train, validation }
    const history = metrics === null ? progress.history : [...progress.history, metrics]
    progress = { ...progress, state, history, told: [] }
    const ending = endingOf(spec, state, history.length)
    if (ending === null) iteration = begin()
    else end(ending)
    return metrics
  }

  let iteration = progress.ending === null ? begin() : null
  return {
    get progress() {
      return progress
    },
    get wanted() {
      return wanted
    },
    take: (result) => {
      if (iteration === null || wanted === null) return null
      const isStart = progress.state === null
      if (isStart && !isEverywhereFinite(result)) return end('diverged')
      const { loss, gradient } = result
      progress = { ...progress, told: [...progress.told, { loss, gradient }] }
      const reached = advance(iteration.next({ loss, gradient }))
      if (wanted !== null) return null
      if (reached === null) return end('stalled')
      return isStart ? takeStart(reached, result) : takeIteration(reached, result)
    },
  }
}
