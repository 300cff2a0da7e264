// Owns what becomes of finished trainings: artifacts of each trained head, the metrics at its kept
// weights, and the outcome of every head in the order of the request.
import { headArtifactsOf } from '../artifacts.js'
import { ensureHeadBackend } from '../backend.js'
import { rowsOfSplit } from '../batches.js'
import { type BuiltHead, buildHead } from '../build.js'
import { foldScale } from '../targets.js'
import type { HeadArtifacts, SplitMetrics, TrainingData } from '../types.js'
import { measureKept, type RowSets } from './final-metrics.js'
import type { GroupState } from './group-state.js'
import { type Copy, type GroupPlan, planPasses, type Task } from './groups.js'
import type { Hosts } from './hosts.js'
import type { Weights } from './layers.js'
import type { TaskTargets } from './task-targets.js'
import type { FoldResult, HeadOutcome, TogetherRequest } from './types.js'
import { bestEpochOf, type Run } from './watch.js'

export interface Finished {
  readonly request: TogetherRequest
  readonly task: Task
  readonly targets: TaskTargets
  readonly hosts: Hosts
  /** Null, and then each fold: the trainings of one head. */
  readonly folds: readonly (number | null)[]
  /** All of one head after the other, in the order of `folds`. */
  readonly runs: readonly Run[]
}

/** Models of presets differ by their spec only where it names layers: each is built once. */
const createPublisher = (data: TrainingData, targets: TaskTargets) => {
  const built = new Map<string, BuiltHead>()
  const modelOf = async ({ spec }: Copy): Promise<BuiltHead> => {
    const key = JSON.stringify([
      spec.kind,
      spec.kind === 'mlp' ? [spec.width, spec.depth] : [],
      spec.dropout,
    ])
    const { featureShape, target } = data
    const head = built.get(key) ?? (await buildHead({ spec, featureShape, target, seed: null }))
    built.set(key, head)
    return head
  }
  return {
    publish: async (copy: Copy, kept: Weights): Promise<HeadArtifacts> => {
      const { scale } = targets.of(copy)
      const values = kept.map((value) => value.slice())
      const [kernel, bias] = values.slice(-2)
      if (scale !== null && kernel !== undefined && bias !== undefined)
        foldScale(kernel, bias, scale)
      return headArtifactsOf((await modelOf(copy)).model, values)
    },
    dispose: () => {
      for (const head of built.values()) head.dispose()
    },
  }
}

const copyKey = ({ head, fold }: Copy): string => `${head}/${fold}`

type Metrics = Readonly<Record<string, SplitMetrics>>

const measureAll = async (finished: Finished): Promise<Map<string, Metrics>> => {
  const { request, task, targets, hosts, folds, runs } = finished
  const { data, heads, signal } = request
  const weights = new Map(
    runs.flatMap(({ copy, kept }) => (kept === null ? [] : [[copyKey(copy), kept] as const])),
  )
  const everyHead = heads.map((_, index) => index)
  const plans = planPasses(heads, everyHead, folds, task).flatMap(({ groups }) =>
    groups.flatMap((plan): GroupPlan[] => {
      const copies = plan.copies.filter((copy) => weights.has(copyKey(copy)))
      return copies.length === 0 ? [] : [{ ...plan, copies }]
    }),
  )
  const train = rowsOfSplit(data.splits, 'train')
  const whole = { train, validation: rowsOfSplit(data.splits, 'validation') }
  const held = new Map(
    folds.map((fold) => [fold, { held: train.filter((row) => targets.foldOf(row) === fold) }]),
  )
  const metrics = new Map<string, Metrics>()
  await measureKept({
    data,
    targets,
    plans,
    hosts,
    open: (plan) => {
      const fill = (state: GroupState) => {
        for (const [index, copy] of plan.copies.entries())
          state.write(index, weights.get(copyKey(copy)) as Weights)
      }
      return hosts.open({ plan, batchSize: 1, seed: 0, fill })
    },
    setsOf: ({ fold }): RowSets => (fold === null ? whole : (held.get(fold) ?? {})),
    onMetrics: (copy, measured) => void metrics.set(copyKey(copy), measured),
    signal,
  })
  return metrics
}

/** @throws INTERRUPTED, ENGINE_FAILED, ENGINE_UNAVAILABLE, and the errors of FeatureSource.read. */
export const publishAll = async (finished: Finished): Promise<HeadOutcome[]> => {
  const { request, targets, folds, runs } = finished
  const metrics = await measureAll(finished)
  await ensureHeadBackend()
  const publisher = createPublisher(request.data, targets)
  const outcomeOf = async (own: Run, others: readonly Run[]): Promise<HeadOutcome> => {
    const { copy, end, history, kept } = own
    if (end === null || end.kind === 'left') throw new Error(`head ${copy.head} has not ended`)
    if (end.kind === 'pruned') return { state: 'pruned', epoch: end.epoch, history }
    if (end.kind === 'diverged')
      return { state: 'diverged', epoch: end.epoch, message: end.message, history }
    const foldResults = others.map(
      (run): FoldResult => ({
        fold: run.copy.fold as number,
        bestEpoch: bestEpochOf(run),
        metrics: metrics.get(copyKey(run.copy))?.held as SplitMetrics,
      }),
    )
    const head = {
      artifacts: await publisher.publish(copy, kept as Weights),
      history,
      bestEpoch: bestEpochOf(own),
      stoppedEarly: end.stoppedEarly,
      metrics: metrics.get(copyKey(copy)) ?? {},
      batchNormalization: null,
    }
    return { state: 'trained', head, folds: folds.length > 1 ? foldResults : null }
  }
  try {
    const outcomes: HeadOutcome[] = []
    for (let begin = 0; begin < runs.length; begin += folds.length) {
      const own = runs.slice(begin, begin + folds.length)
      outcomes.push(await outcomeOf(own[0] as Run, own.slice(1)))
    }
    return outcomes
  } finally {
    publisher.dispose()
  }
}
