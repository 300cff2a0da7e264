// Owns stage 2 of an experiment: every head on its features, the best of them, its test split, and the
// record of all. What exists is reused; what was interrupted goes on.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import type { OpenFeatures } from '../features/open-features.js'
import { sha256Schema } from '../features/shard.js'
import { fileCheckpoint, removeAbandoned } from '../head/checkpoint-file.js'
import { measureSplit } from '../head/train.js'
import type { EpochMetrics, TrainingData } from '../head/types.js'
import { sha256OfJson } from '../identity/hash.js'
import { experimentPageKey } from '../model/report-keys.js'
import { addTestMetrics, loadHead, loadRun, type RunRecord } from '../model/run-record.js'
import { isSweep, loadSweep, saveSweep, sweepIdOf } from '../model/sweep-record.js'
import { describeSweep } from './describe-sweep.js'
import { passesOf, planRuns } from './plan-runs.js'
import { publishTrained } from './publish-run.js'
import { nameBest } from './result.js'
import { foldOf } from './sweep/folds.js'
import type {
  CutFeatures,
  EndedHead,
  PlannedHead,
  SweepRequest,
  SweepResult,
} from './sweep-types.js'
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

/** Opens the features of heads of one cut, joined with labels. */
const withData = async <T>(
  { opened }: Pick<SweepRequest, 'opened'>,
  heads: readonly PlannedHead[],
  work: (data: TrainingData, features: OpenFeatures) => Promise<T>,
): Promise<T> => {
  const [first] = heads
  if (first === undefined) throw new RangeError('there is no head')
  const views = Math.max(...heads.map((one) => one.views))
  const features = await first.features.open(views)
  try {
    const shape = first.features.views[0]?.spec.featureShape ?? []
    return await work(joinTrainingData(opened.dataset, features, shape), features)
  } finally {
    await features.close()
  }
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
): Promise<EndedHead[]> =>
  withData(request, heads, async (data, features) => {
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
  })

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

const trainAll = async (
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

/** The best run with the metrics of its test split, which is read for no other. */
const measureTest = async (request: SweepRequest, best: EndedHead): Promise<RunRecord> => {
  const { store } = request.workspace
  const run = best.run as RunRecord
  if (run.metrics.test !== undefined || run.dataset.samples.test === 0) return run
  const artifacts = await loadHead(store, run)
  const test = await withData(request, [best.planned], (data) =>
    measureSplit(artifacts, data, 'test', request.signal),
  )
  return test === undefined ? run : addTestMetrics(store, run.runId, test)
}

/** A sweep that was published, with all of its runs; null when there is none. */
const findPublished = async (
  { workspace: { store } }: SweepRequest,
  sweepId: string,
): Promise<SweepResult | null> => {
  const sweep = await loadSweep(store, sweepId)
  if (sweep === null) return null
  const runs: RunRecord[] = []
  for (const { runId } of sweep.heads) {
    const run = runId === null ? null : await loadRun(store, runId)
    if (runId !== null && run === null) return null
    if (run !== null) runs.push(run)
  }
  const best = runs.find(({ runId }) => runId === sweep.best.runId)
  if (best === undefined) return null
  return { sweep, runs: runs.map((run) => ({ run, trained: false })), best }
}

const noticeDiverged = ({ events }: SweepRequest, ended: readonly EndedHead[]): void => {
  for (const { planned, outcome } of ended)
    if (outcome?.state === 'diverged')
      events.onNotice?.(
        `a head diverged and is left out: ${planned.head.kind}, ${planned.head.optimizer}${planned.head.learningRate === null ? '' : ` with learning rate ${planned.head.learningRate}`}: ${outcome.message}`,
      )
}

/**
 * Writes the reports, unless nothing was trained and they are there. Everything is published by now:
 * what goes wrong with a report is told, and can be done again.
 */
const tryReports = async (
  { workspace: { store }, opened, signal, events }: SweepRequest,
  { sweep, runs: ended, best }: SweepResult,
): Promise<void> => {
  const page = experimentPageKey({ id: sweep.sweepId, heads: sweep.heads }, best.runId)
  if (!ended.some(({ trained }) => trained) && (await store.head(page)) !== null) return
  const runs = ended.map(({ run }) => run)
  try {
    // The plotting library takes half a second to load, which heads need not wait for.
    const { writeReports } = await import('./write-reports.js')
    await writeReports({ store, opened, signal }, { sweep, runs, best })
  } catch (error) {
    if (isHeadstartError(error, 'INTERRUPTED')) throw error
    events.onNotice?.(`the report could not be written: ${messageOf(error)}`)
  }
}

/** Trains what is missing, and reads the test split of the best. @throws as trainSweep. */
const trainAndChoose = async (
  request: SweepRequest,
  planned: readonly PlannedHead[],
  sweepId: string,
  checkpoints: string,
): Promise<SweepResult> => {
  const ended = await trainAll(request, planned, checkpoints)
  noticeDiverged(request, ended)
  const described = describeSweep({ ...request, sweepId, ended })
  if (described === null) {
    const diverged = ended.find(({ outcome }) => outcome?.state === 'diverged')?.outcome
    throw new HeadstartError(
      'HEAD_DIVERGED',
      diverged?.state === 'diverged' ? diverged.message : 'no head was trained to its end',
    )
  }
  const best = await measureTest(request, ended[described.best.index] as EndedHead)
  const test = best.metrics.test ?? null
  const complete = { ...described, best: { ...described.best, test } }
  const { store } = request.workspace
  const sweep = isSweep(complete) ? await saveSweep(store, complete) : complete
  const runs = ended.flatMap(({ run, outcome }) => {
    if (run === null) return []
    return { run: run.runId === best.runId ? best : run, trained: outcome !== null }
  })
  return { sweep, runs, best }
}

/**
 * Trains every head of a sweep that has no run yet, and publishes the best.
 *
 * @throws HEAD_DIVERGED when every head did; HEAD_INVALID, PARITY_FAILED, INTERRUPTED (the next call goes
 *   on), DATASET_CLASS_TOO_SMALL when quarantine emptied a class, and the errors of the store.
 */
export const trainSweep = async (request: SweepRequest): Promise<SweepResult> => {
  const { workspace, plan, cuts, selection, opened, seed, name, events } = request
  const { candidates, folds, halving } = plan
  const { datasetId } = opened.dataset
  const featureSetIds = cuts.map(({ views }) =>
    views.map(({ featureSet }) => featureSet.featureSetId),
  )
  const planned = planRuns({ candidates, featureSetIds, datasetId, seed }).map(
    (one): PlannedHead => ({ ...one, features: cuts[one.cut] as CutFeatures }),
  )
  const runKeys = planned.map(({ runId }) => runId)
  const sweepId = sweepIdOf({ runKeys, select: selection, folds, halving })
  const checkpoints = join(workspace.checkpointDir, sweepId)
  await removeAbandoned(workspace.checkpointDir)
  const result =
    (await findPublished(request, sweepId)) ??
    (await trainAndChoose(request, planned, sweepId, checkpoints))
  if (name !== undefined) await nameBest(workspace.store, name, result.best, events)
  // Nothing needs them: every run is published.
  await rm(checkpoints, { recursive: true, force: true })
  await tryReports(request, result)
  return result
}
