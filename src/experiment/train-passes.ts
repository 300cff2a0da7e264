// Owns training the heads of a sweep that have no run yet: in which company, pass by pass over the features,
// each published when its pass has ended. What was interrupted goes on. Chooses none.
import { join } from 'node:path'
import { z } from 'zod'
import { sha256Schema } from '../features/shard.js'
import { fileCheckpoint } from '../head/checkpoint-file.js'
import type { EpochMetrics, TrainingData } from '../head/types.js'
import { sha256OfJson } from '../identity/hash.js'
import { loadRun, type RunRecord } from '../model/run-record.js'
import type { KeptFeatures } from './feature-keeper.js'
import { passesOf } from './plan-runs.js'
import { publishTrained } from './publish-run.js'
import { foldOf } from './sweep/folds.js'
import type { EndedHead, PlannedHead, SweepRequest } from './sweep-types.js'
import { type CandidatesRequest, trainCandidates } from './train-candidates.js'
import { joinTrainingData } from './training-data.js'

const secondsSince = (started: number): number => (performance.now() - started) / 1000

/** The metrics of an epoch, with what is done of all heads together. */
const createReporter = ({ events }: SweepRequest, heads: readonly PlannedHead[]) => {
  const epochs = heads.reduce((sum, { head }) => sum + head.epochs, 0)
  let done = 0
  return (head: PlannedHead, metrics: EpochMetrics): void => {
    done += 1
    events.onEpoch?.(metrics, { head: heads.indexOf(head), heads: heads.length, done, epochs })
  }
}

/** Features of heads of one pass, joined with labels; borrowed, as `CutFeatures.open` gives them. */
export const openData = async (
  { opened }: Pick<SweepRequest, 'opened'>,
  heads: readonly PlannedHead[],
): Promise<{ readonly data: TrainingData; readonly features: KeptFeatures }> => {
  const [first] = heads
  if (first === undefined) throw new RangeError('there is no head')
  const features = await first.features.open(Math.max(...heads.map((one) => one.views)))
  const shape = first.features.views[0]?.spec.featureShape ?? []
  return { data: joinTrainingData(opened.dataset, features, shape), features }
}

/** By loss or by score, as the best is chosen. */
const halvingOf = ({ plan, selection }: SweepRequest): CandidatesRequest['halving'] =>
  plan.halving === null
    ? null
    : { ...plan.halving, metric: selection.higherIsBetter ? 'score' : 'loss' }

/** Trains heads of one pass and publishes those that came to their end. */
const trainPass = async (
  request: SweepRequest,
  heads: readonly PlannedHead[],
  checkpoints: string,
  report: (head: PlannedHead, metrics: EpochMetrics) => void,
): Promise<EndedHead[]> => {
  const { data, features } = await openData(request, heads)
  const { workspace, opened, plan, seed, signal, events } = request
  const started = performance.now()
  const { folds: count } = plan
  const outcomes = await trainCandidates({
    data,
    candidates: heads.map(({ head, views }) => ({ spec: head, seed, views })),
    folds:
      count === null
        ? null
        : { count, of: Uint8Array.from(features.keys, (key) => foldOf(key, count)) },
    halving: halvingOf(request),
    checkpoints,
    signal,
    onEpoch: (index, metrics) => report(heads[index] as PlannedHead, metrics),
    onNotice: events.onNotice,
  })
  const seconds = secondsSince(started)
  const from = { base: request.base, dataset: opened.location }
  const ended: EndedHead[] = []
  for (const [index, outcome] of outcomes.entries()) {
    const planned = heads[index] as PlannedHead
    const { head, runId } = planned
    const views = planned.features.views.slice(0, planned.views)
    let run: RunRecord | null = null
    if (outcome.state === 'trained') {
      const parity = await planned.features.proveParity(features)
      const { head: trained } = outcome
      const shared = { store: workspace.store, opened, views, data, head, seed, from }
      run = await publishTrained({ ...shared, runId, trained, parity, seconds })
    }
    ended.push({ planned, outcome, run })
  }
  return ended
}

/** Heads that must be trained: those without a run; all of them where folds or halving compare them. */
const splitKnown = async (
  { workspace: { store }, plan }: SweepRequest,
  planned: readonly PlannedHead[],
): Promise<{ known: EndedHead[]; missing: PlannedHead[] }> => {
  if (plan.folds !== null || plan.halving !== null) return { known: [], missing: [...planned] }
  const known: EndedHead[] = []
  const missing: PlannedHead[] = []
  for (const one of planned) {
    const run = await loadRun(store, one.runId)
    if (run === null) missing.push(one)
    else known.push({ planned: one, outcome: null, run })
  }
  return { known, missing }
}

/** Ids of the runs that were missing when the training of this sweep began. */
const startedSchema = z.array(sha256Schema)

/**
 * The heads to train are those of the training that was interrupted, if there was one: in other company
 * the states that it left would not fit, and the last bits would be others.
 */
const keepCompany = async (
  planned: readonly PlannedHead[],
  missing: readonly PlannedHead[],
  checkpoints: string,
): Promise<readonly PlannedHead[]> => {
  if (missing.length === 0) return missing
  const file = fileCheckpoint(join(checkpoints, 'heads'))
  const bytes = await file.load()
  const started = bytes === null ? null : startedSchema.safeParse(parseJson(bytes))
  const before = new Set(started?.data ?? [])
  if (missing.every(({ runId }) => before.has(runId)))
    return planned.filter(({ runId }) => before.has(runId))
  const ids = Buffer.from(JSON.stringify(missing.map(({ runId }) => runId)))
  // A training is worth more than its checkpoint: the trainers say what an interruption would cost.
  await file.save(ids).catch(() => undefined)
  return missing
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return null
  }
}

/**
 * What became of every head, in the order of the plan: of those with a run, and of the others once they
 * were trained and published.
 *
 * @param checkpoints folder of the states of trainings; the caller removes it once all is published.
 * @throws HEAD_INVALID, PARITY_FAILED, INTERRUPTED (the next call goes on), DATASET_CLASS_TOO_SMALL, and
 *   the errors of the store.
 */
export const trainAll = async (
  request: SweepRequest,
  planned: readonly PlannedHead[],
  checkpoints: string,
): Promise<EndedHead[]> => {
  const { known, missing } = await splitKnown(request, planned)
  const ended = new Map(known.map((one) => [one.planned.runId, one]))
  const trained = await keepCompany(planned, missing, checkpoints)
  const report = createReporter(request, trained)
  for (const heads of passesOf(trained)) {
    // By its heads: after an interruption fewer passes are left, and none may go on from another's state.
    const folder = join(checkpoints, sha256OfJson(heads.map(({ runId }) => runId)))
    for (const one of await trainPass(request, heads, folder, report))
      ended.set(one.planned.runId, one)
  }
  return planned.map(({ runId }) => ended.get(runId) as EndedHead)
}
