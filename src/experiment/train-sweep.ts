// Owns stage 2 of an experiment: every head on its features, the best of them, its test split, and the
// record of all. What exists is reused; what was interrupted goes on.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { removeAbandoned } from '../head/checkpoint-file.js'
import { measureSplit } from '../head/train.js'
import type { Sha256 } from '../identity/hash.js'
import { experimentPageKey } from '../model/report-keys.js'
import { addTestMetrics, loadHead, loadRun, type RunRecord } from '../model/run-record.js'
import { isSweep, loadSweep, saveSweep, sweepIdOf } from '../model/sweep-record.js'
import { describeSweep } from './describe-sweep.js'
import { planRuns } from './plan-runs.js'
import { nameBest } from './result.js'
import type {
  CutFeatures,
  EndedHead,
  PlannedHead,
  SweepRequest,
  SweepResult,
} from './sweep-types.js'
import { openData, trainAll } from './train-passes.js'

/** The best run with the metrics of its test split, which is read for no other. */
const measureTest = async (request: SweepRequest, best: EndedHead): Promise<RunRecord> => {
  const { store } = request.workspace
  const run = best.run as RunRecord
  if (run.metrics.test !== undefined || run.dataset.samples.test === 0) return run
  const artifacts = await loadHead(store, run)
  const { data } = await openData(request, [best.planned])
  const test = await measureSplit(artifacts, data, 'test', request.signal)
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
  { workspace: { store }, opened, cuts, signal, events }: SweepRequest,
  { sweep, runs: ended, best }: SweepResult,
): Promise<void> => {
  const page = experimentPageKey({ id: sweep.sweepId, heads: sweep.heads }, best.runId)
  if (!ended.some(({ trained }) => trained) && (await store.head(page)) !== null) return
  const runs = ended.map(({ run }) => run)
  try {
    // The plotting library takes half a second to load, which heads need not wait for.
    const { writeReports } = await import('./write-reports.js')
    const findOpen = (featureSetId: Sha256) =>
      cuts.find(({ views }) => views[0]?.featureSet.featureSetId === featureSetId)?.findOpen() ??
      null
    await writeReports({ store, opened, signal }, { sweep, runs, best, findOpen })
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
