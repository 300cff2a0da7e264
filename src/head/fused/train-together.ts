// Owns training many preset heads in one pass over the features, from the request to the outcomes, resumed
// or not. Refuses requests that cannot be trained; a head that diverges is an outcome, not an error.
import { assertNotAborted, HeadstartError, isHeadstartError } from '../../errors.js'
import { rowsOfSplit } from '../batches.js'
import { unitsOf } from '../build.js'
import { type Copy, planPasses, planWaves } from './groups.js'
import { createHosts, threadsFor } from './hosts.js'
import { createMeasurer } from './measure.js'
import { publishAll } from './publish.js'
import { createSaver } from './save.js'
import { togetherFingerprint } from './state.js'
import { createStepBlocks } from './step-blocks.js'
import { createTaskTargets } from './task-targets.js'
import { finishWaveEpoch, keepGroups, runOf, stateOf, type Training } from './training.js'
import type { HeadOutcome, TogetherHead, TogetherRequest } from './types.js'
import { assertTogetherTrainable } from './validate.js'
import { createRun } from './watch.js'
import { groupsOf, type OpenPass, openPasses, runEpoch } from './wave.js'

/** From the epoch that `progress` names until every head of its wave has ended. */
const trainWave = async (
  training: Training,
  states: readonly Float32Array[] | null,
): Promise<void> => {
  const { request, task, folds, waves, progress, measurer, signal } = training
  const wave = waves[progress.wave] as readonly number[]
  const isActive = (copy: Copy) => runOf(training, copy).end === null
  const plans = planPasses(request.heads, wave, folds, task)
  let passes: OpenPass[] = await openPasses(training, plans, isActive, states)
  keepGroups(training, passes)
  while (passes.length > 0) {
    await runEpoch(training, passes, progress.epoch + 1)
    const results = await measurer.measure(groupsOf(passes), signal)
    passes = await finishWaveEpoch(training, passes, results)
  }
}

const trainAll = async (training: Training): Promise<HeadOutcome[]> => {
  const { saver, runs, waves, progress } = training
  const saved = (await saver?.load()) ?? null
  for (const [index, run] of runs.entries()) Object.assign(run, saved?.runs[index])
  const { wave = 0, epoch = 0, groups = [] } = saved ?? {}
  Object.assign(progress, { wave, epoch, groups: [...groups] })
  const state = () => stateOf(training)
  try {
    // Before the first epoch of a wave there is nothing that would not be drawn again.
    await trainWave(training, progress.epoch > 0 ? (saved?.groups ?? null) : null)
    while (progress.wave + 1 < waves.length) {
      Object.assign(progress, { wave: progress.wave + 1, epoch: 0, groups: [] })
      await trainWave(training, null)
    }
    await saver?.saveLast(state)
    return await publishAll(training)
  } catch (error) {
    const isWorthIt = progress.epoch > 0 || progress.wave > 0
    if (isHeadstartError(error, 'INTERRUPTED') && isWorthIt) await saver?.saveInterrupted(state)
    throw error
  }
}

interface Prepared extends Omit<Training, 'hosts' | 'blocks' | 'measurer'> {
  readonly threads: number
}

const prepare = (request: TogetherRequest): Prepared => {
  const { data, heads, halving, checkpoint, onNotice, signal } = request
  const first = heads[0] as TogetherHead
  const trainRows = rowsOfSplit(data.splits, 'train')
  const task = { width: data.width, units: unitsOf(data.target), trainRows: trainRows.length }
  const count = request.folds?.count ?? 0
  const folds = [null, ...Array.from({ length: count }, (_, fold) => fold)]
  const waves = planWaves(heads, folds.length, task, request.maxParameters)
  if (halving && waves.length > 1) {
    const message = `the ${heads.length} heads do not fit in memory together, as halving needs: train fewer, or without halving`
    throw new HeadstartError('HEAD_INVALID', message)
  }
  const targets = createTaskTargets(data, trainRows, request.folds ?? null, first.spec)
  const runs = heads.flatMap(({ spec }, head) =>
    folds.map((fold) => createRun({ head, fold, spec })),
  )
  const fingerprint = () => togetherFingerprint(request, first)
  const saver = createSaver(checkpoint, fingerprint, onNotice)
  const progress = { wave: 0, epoch: 0, groups: [] }
  const firstWave = planPasses(heads, waves[0] as readonly number[], folds, task)
  const threads = request.threads ?? threadsFor(firstWave, trainRows.length)
  return {
    request,
    data,
    trainRows,
    targets,
    signal,
    task,
    folds,
    waves,
    runs,
    saver,
    progress,
    threads,
  }
}

/**
 * Trains heads together. Each ends with the numbers that it has when it is trained alone, up to the
 * rounding of products of other shapes; the same request gives the same bits on the same machine,
 * interrupted and resumed or not, on any number of threads. Outcomes are in the order of the heads.
 *
 * @throws HEAD_INVALID, ENGINE_UNAVAILABLE (see isFusedAvailable), ENGINE_FAILED, INTERRUPTED (after saving
 *   the last finished epoch, or saying that it could not be saved), and the errors of FeatureSource.read.
 */
export const trainTogether = async (request: TogetherRequest): Promise<readonly HeadOutcome[]> => {
  assertNotAborted(request.signal)
  assertTogetherTrainable(request)
  const { threads, ...prepared } = prepare(request)
  const { data, targets, folds, signal } = prepared
  const hosts = await createHosts({ threads, data, targets, signal })
  try {
    const measurer = await createMeasurer(data, targets, folds, hosts)
    const blocks = Array.from({ length: hosts.count }, () =>
      createStepBlocks({ data, targets, hosts }),
    )
    return await trainAll({ ...prepared, hosts, blocks, measurer })
  } finally {
    await hosts.end()
  }
}
