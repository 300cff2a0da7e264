// Owns `run` and `train` through a service: the same result as in this process.
import { HeadstartError } from '../../errors.js'
import { headOfRun } from '../../experiment/describe-sweep.js'
import type { ExperimentResult } from '../../experiment/result.js'
import type { Experiment } from '../../experiment/schema.js'
import { selectionFor } from '../../experiment/sweep/select.js'
import type { RunRecord } from '../../model/run-record.js'
import { sweepIdOf } from '../../model/sweep-record.js'
import type { TrainingHandle, TrainingJobResult } from '../../queue/types.js'
import type { Context } from '../context.js'
import type { ChosenService } from './choose.js'
import { followJobs } from './follow.js'
import { sayQuarantined } from './quarantine.js'
import { type ExtractedView, findEndedBefore, totalOf, viewsOf } from './totals.js'

export interface ExperimentOrder {
  readonly experiment: Experiment
  /** Relative paths of the experiment start here. */
  readonly folder: string
}

const enqueue = (
  { signal, progress: { events } }: Context,
  { service }: ChosenService,
  { experiment, folder }: ExperimentOrder,
): Promise<TrainingHandle> => service.enqueueTraining(experiment, { folder, signal, events })

/** What `--detach` prints. */
export interface EnqueuedExperiment {
  /** The training first. */
  readonly jobs: readonly string[]
  /** One a view. */
  readonly featureSets: readonly string[]
  /** One a head. */
  readonly runs: readonly string[]
}

export const enqueueExperiment = async (
  context: Context,
  chosen: ChosenService,
  order: ExperimentOrder,
): Promise<EnqueuedExperiment> => {
  const { ids, runIds, extraction } = await enqueue(context, chosen, order)
  const { ids: extractions, featureSetIds } = extraction
  return { jobs: [...ids, ...extractions], featureSets: featureSetIds, runs: runIds }
}

interface Finished {
  readonly views: readonly ExtractedView[]
  /** When the features were there. */
  readonly extractedMs: number
  readonly training: Pick<TrainingJobResult, 'sweep' | 'runs' | 'best'>
}

const finish = async (
  context: Context,
  chosen: ChosenService,
  handle: TrainingHandle,
  askedMs: number,
): Promise<Finished> => {
  const { service } = chosen
  const { extraction } = handle
  const ids = [...handle.ids, ...extraction.ids]
  const endedBefore = await findEndedBefore(service, ids, askedMs)
  const followed = { handles: [extraction, handle], ids }
  const [features, [training]] = await followJobs(context, service, followed, (signal) => {
    const extract = async () => {
      const views = viewsOf(extraction, await extraction.finished({ signal }), endedBefore)
      return { views, extractedMs: Date.now() }
    }
    return Promise.all([extract(), handle.finished({ signal })])
  })
  await sayQuarantined(context, chosen, features.views[0])
  if (training === undefined) throw new HeadstartError('JOB_LOST', 'the training has no result')
  const isNew = handle.ids.some((id) => !endedBefore.has(id))
  const runs = training.runs.map(({ id, trained }) => ({ id, trained: trained && isNew }))
  return { ...features, training: { ...training, runs } }
}

/** What became of every head. One head has no record of its own beside its run. */
const sweepOf = async (
  { service }: ChosenService,
  id: string | null,
  best: RunRecord,
  { select: metric, halving }: Experiment,
): Promise<ExperimentResult['sweep']> => {
  if (id !== null) {
    const { sweepId, select, heads } = await service.getSweep(id)
    return { id: sweepId, select, heads }
  }
  const select = selectionFor(metric ?? null, best.target.kind)
  const sweepId = sweepIdOf({ runKeys: [best.runId], select, folds: null, halving })
  return { id: sweepId, select, heads: [headOfRun(best, select)] }
}

/** @throws the error of the job that failed; INTERRUPTED, while the jobs go on. */
export const runThroughService = async (
  context: Context,
  chosen: ChosenService,
  order: ExperimentOrder,
): Promise<ExperimentResult> => {
  const askedMs = Date.now()
  const handle = await enqueue(context, chosen, order)
  const enqueuedMs = Date.now()
  const { views, extractedMs, training } = await finish(context, chosen, handle, askedMs)
  const runs = []
  for (const { id, trained } of training.runs) {
    const run = await chosen.service.getRun(id)
    runs.push({ trained, run })
  }
  const best = runs.find(({ run }) => run.runId === training.best)
  if (best === undefined) throw new HeadstartError('JOB_LOST', 'the training names no best run')
  const { samples, bitwise, maxAbsDiff } = best.run.parity
  const sweep = await sweepOf(chosen, training.sweep, best.run, order.experiment)
  const endedMs = Date.now()
  return {
    featureSet: totalOf(views),
    runs: runs.map(({ trained, run }) => {
      const { runId, head, metrics } = run
      return { id: runId, trained, head, metrics }
    }),
    best: training.best,
    sweep,
    parity: { samples, bitwise, maxAbsDiff },
    seconds: {
      extract: (extractedMs - enqueuedMs) / 1000,
      train: (endedMs - extractedMs) / 1000,
      total: (endedMs - askedMs) / 1000,
    },
  }
}
