// Owns training linear heads to the optimum of their losses: each an L-BFGS of its own, all evaluated in
// one pass over the features a round. Refuses data that cannot be trained on, and other specs by type.
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../../errors.js'
import type { JsonValue } from '../../identity/canonical-json.js'
import { sha256, sha256OfJson } from '../../identity/hash.js'
import { ensureHeadBackend } from '../backend.js'
import { rowsOfSplit } from '../batches.js'
import { unitsOf } from '../build.js'
import { type Checkpoint, trainingFingerprint } from '../checkpoint.js'
import type { ExactSpec } from '../spec.js'
import { createStepTargets, type StepTargets } from '../targets.js'
import type { EpochMetrics, TrainedHead, TrainingData } from '../types.js'
import { assertTrainable } from '../validate.js'
import { evaluateTogether, type Trial } from './evaluate-together.js'
import { createHeadRun, FRESH, type HeadRun } from './head-run.js'
import { largestOf } from './lbfgs.js'
import { openProducts, type Products } from './products.js'
import { decodeProgress, encodeProgress } from './progress-bytes.js'
import { publishExact } from './publish-exact.js'
import { type Objective, objectiveOf } from './row-losses.js'

export interface ExactHead {
  readonly spec: ExactSpec
  /** Without effect on the result: an exact head starts at zero and sees all rows at once. */
  readonly seed: number
  /** Trained on the first views of the features, each as more rows. */
  readonly views: number
}

export interface SolveRequest {
  /** Borrowed; never written to. */
  readonly data: TrainingData
  readonly heads: readonly ExactHead[]
  readonly signal?: AbortSignal | undefined
  /** Called after each iteration of a head that was computed here. */
  readonly onEpoch?: ((head: number, metrics: EpochMetrics) => void | Promise<void>) | undefined
  /** Makes the training resumable. It is left in place: clear it when the runs are published. */
  readonly checkpoint?: Checkpoint | undefined
  /** A head that did not converge, or a state that cannot be saved; the training goes on. */
  readonly onNotice?: ((message: string) => void) | undefined
}

export type ExactOutcome =
  | { readonly state: 'trained'; readonly head: TrainedHead; readonly folds: null }
  | {
      readonly state: 'diverged'
      readonly epoch: number
      readonly message: string
      readonly history: readonly EpochMetrics[]
    }

/** Bytes of float64 vectors that heads solved at the same time may keep. */
const MAX_STATE_BYTES = 256 * 2 ** 20
/** Vectors a head: 10 corrections of 2, point, gradient, direction and those of a search. */
const VECTORS = 26
const SAVE_EVERY_MS = 2000
/** Saving takes at most one part in so many of the time. */
const SAVE_SHARE = 20

interface Solving {
  readonly request: SolveRequest
  readonly products: Products
  readonly objectives: readonly Objective[]
  readonly runs: readonly HeadRun[]
  readonly save: (isDue: boolean) => Promise<void>
}

/** Heads that weigh and smooth labels alike share targets. */
const objectivesOf = ({ data, heads }: SolveRequest): Objective[] => {
  const rows = rowsOfSplit(data.splits, 'train')
  const shared = new Map<string, StepTargets>()
  return heads.map(({ spec }) => {
    const key = JSON.stringify([spec.labelSmoothing, spec.classWeights])
    const targets = shared.get(key) ?? createStepTargets(spec, data, rows, true)
    shared.set(key, targets)
    return objectiveOf(spec, data.target, targets)
  })
}

/** Rounds until every one of some heads has ended. */
const solveGroup = async (solving: Solving, group: readonly number[]): Promise<void> => {
  const { request, products, objectives, runs, save } = solving
  const { data, heads, signal, onEpoch } = request
  for (;;) {
    const active = group.filter((index) => runs[index]?.wanted !== null)
    if (active.length === 0) return
    const trials = active.map((index): Trial => {
      const { spec, views } = heads[index] as ExactHead
      const point = runs[index]?.wanted as Float64Array
      return { objective: objectives[index] as Objective, views, l2: spec.l2, point }
    })
    const results = await evaluateTogether({ data, trials, products, signal })
    const finished: [number, EpochMetrics][] = []
    for (const [position, result] of results.entries()) {
      const index = active[position] as number
      const metrics = runs[index]?.take(result) ?? null
      if (metrics !== null) finished.push([index, metrics])
    }
    await save(true)
    for (const [index, metrics] of finished) await onEpoch?.(index, metrics)
  }
}

/** Saves all runs; when it only may be due, not more often than is worth it. */
const createSaver = (
  { checkpoint, onNotice }: SolveRequest,
  fingerprint: string,
  runs: readonly HeadRun[],
): Solving['save'] => {
  let nextAt = performance.now() + SAVE_EVERY_MS
  let noticed = false
  return async (isDue) => {
    if (checkpoint === undefined || (isDue && performance.now() < nextAt)) return
    const started = performance.now()
    try {
      await checkpoint.save(
        encodeProgress(
          fingerprint,
          runs.map(({ progress }) => progress),
        ),
      )
    } catch (error) {
      if (!isDue) throw error
      if (!noticed) {
        onNotice?.(
          `the training goes on, but an interruption would lose it: its state cannot be saved (${messageOf(error)})`,
        )
      }
      noticed = true
    }
    const spent = performance.now() - started
    nextAt = performance.now() + Math.max(SAVE_EVERY_MS, SAVE_SHARE * spent)
  }
}

const saveInterrupted = async (save: Solving['save']): Promise<void> => {
  try {
    await save(false)
  } catch (cause) {
    const message = `interrupted; the progress could not be saved: ${messageOf(cause)}`
    throw new HeadstartError('INTERRUPTED', message, { cause })
  }
}

const noticeOf = (run: HeadRun, { spec }: ExactHead, index: number): string | null => {
  const { ending, state, history } = run.progress
  if (state === null || (ending !== 'exhausted' && ending !== 'stalled')) return null
  const left = `the largest part of its gradient is ${largestOf(state.gradient).toExponential(1)}, tolerance ${spec.tolerance}`
  return ending === 'exhausted'
    ? `head ${index}: not converged in ${history.length} iterations (${left}); raise epochs, l2 or tolerance`
    : `head ${index}: stopped after ${history.length} iterations where float32 shows no better point (${left})`
}

const outcomeOf = async (solving: Solving, index: number): Promise<ExactOutcome> => {
  const { request, objectives, runs } = solving
  const run = runs[index] as HeadRun
  const { ending, state, history } = run.progress
  if (ending === 'diverged' || state === null) {
    const message = 'the loss or its gradient is not finite at the start: look at the features'
    return { state: 'diverged', epoch: 0, message, history }
  }
  const { spec } = request.heads[index] as ExactHead
  const { targets } = objectives[index] as Objective
  const { data, signal } = request
  const head = await publishExact({ spec, data, targets, point: state.point, history, signal })
  return { state: 'trained', head, folds: null }
}

/** Positions of heads that are solved at the same time. */
const groupsOf = (heads: number, size: number): number[][] => {
  const together = Math.max(1, Math.floor(MAX_STATE_BYTES / (VECTORS * 8 * size)))
  return Array.from({ length: Math.ceil(heads / together) }, (_, group) =>
    Array.from(
      { length: Math.min(together, heads - group * together) },
      (_, index) => group * together + index,
    ),
  )
}

const solve = async (request: SolveRequest, products: Products): Promise<ExactOutcome[]> => {
  const { data, heads, checkpoint, onNotice } = request
  const [first] = heads
  if (first === undefined) return []
  const fingerprint = sha256(
    trainingFingerprint(data, first.spec, first.seed),
    sha256OfJson(heads as unknown as JsonValue),
  )
  const size = (data.width + 1) * unitsOf(data.target)
  const bytes = await checkpoint?.load()
  const saved = bytes ? decodeProgress(bytes, fingerprint) : null
  const runs = heads.map(({ spec }, index) => createHeadRun(spec, size, saved?.[index] ?? FRESH))
  const save = createSaver(request, fingerprint, runs)
  const solving = { request, products, objectives: objectivesOf(request), runs, save }
  try {
    for (const group of groupsOf(heads.length, size)) await solveGroup(solving, group)
    const outcomes: ExactOutcome[] = []
    for (const [index, head] of heads.entries()) {
      const notice = noticeOf(runs[index] as HeadRun, head, index)
      if (notice !== null) onNotice?.(notice)
      outcomes.push(await outcomeOf(solving, index))
    }
    return outcomes
  } catch (error) {
    if (isHeadstartError(error, 'INTERRUPTED')) await saveInterrupted(save)
    throw error
  }
}

/**
 * Trains linear heads with L-BFGS, full batch, until no part of the gradient exceeds `tolerance`. The
 * objective is that of the other optimizers: mean loss with class weights and label smoothing, plus
 * l2 * sum(w^2) over the kernel. (C of scikit-learn's LogisticRegression is 1 / (2 * rows * l2).) The same
 * data and heads give the same bits on one machine, interrupted and resumed or not.
 *
 * @returns in the order of the heads. `bestEpoch` counts iterations.
 * @throws HEAD_INVALID, ENGINE_UNAVAILABLE, INTERRUPTED (after saving), and the errors of FeatureSource.read.
 */
export const solveTogether = async (request: SolveRequest): Promise<ExactOutcome[]> => {
  const { data, heads, signal } = request
  assertNotAborted(signal)
  for (const { spec } of heads) assertTrainable(spec, data)
  await ensureHeadBackend()
  const products = await openProducts()
  try {
    return await solve(request, products)
  } finally {
    await products.close()
  }
}
