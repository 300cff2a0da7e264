// Owns what many trainings are between two epochs: their runs, who ends and who leaves after an epoch, what
// a checkpoint keeps of it.
import type { Copy, Task } from './groups.js'
import { isRung, prunedOf } from './halving.js'
import type { Group } from './hosts.js'
import type { Measured, Measurer } from './measure.js'
import type { Saver } from './save.js'
import type { State } from './state.js'
import type { TogetherRequest } from './types.js'
import { finishEpoch, type Run, settleFolds } from './watch.js'
import { groupsOf, leaveGroups, type OpenPass, type WaveRequest } from './wave.js'

export interface Training extends WaveRequest {
  readonly request: TogetherRequest
  readonly task: Task
  readonly folds: readonly (number | null)[]
  readonly waves: readonly (readonly number[])[]
  readonly runs: readonly Run[]
  readonly measurer: Measurer
  readonly saver: Saver | null
  readonly signal: AbortSignal | undefined
  readonly progress: Progress
}

/** Where the training stands: at the last finished epoch, at any time. Runs change between epochs only. */
interface Progress {
  wave: number
  epoch: number
  /** Weights and moments of the open groups. */
  groups: Float32Array[]
}

export const stateOf = ({ progress, runs }: Training): State => ({ ...progress, runs })

export const runOf = ({ runs, folds }: Training, { head, fold }: Copy): Run =>
  runs[head * folds.length + folds.indexOf(fold)] as Run

const runsOfHead = ({ runs, folds }: Training, head: number): readonly Run[] =>
  runs.slice(head * folds.length, (head + 1) * folds.length)

const takeIn = (
  training: Training,
  groups: readonly Group[],
  results: readonly Measured[][],
  epoch: number,
) => {
  for (const [index, { plan, state }] of groups.entries()) {
    const allFinite = state.isFinite()
    for (const [position, copy] of plan.copies.entries()) {
      const measured = results[index]?.[position] as Measured
      const read = () => state.read(position)
      const finite = allFinite || read().every((values) => values.every(Number.isFinite))
      finishEpoch(runOf(training, copy), epoch, measured, { isFinite: finite, read })
    }
  }
}

const prune = (training: Training, wave: readonly number[], epoch: number): void => {
  const { halving } = training.request
  if (!halving || !isRung(halving, epoch)) return
  const values = wave.flatMap((head) => {
    const own = runsOfHead(training, head)[0] as Run
    const last = own.history.at(-1)?.validation
    return own.end === null && last ? [{ head, value: last[halving.metric] }] : []
  })
  for (const head of prunedOf(halving, values)) {
    const own = runsOfHead(training, head)[0] as Run
    own.end = { kind: 'pruned', epoch }
  }
}

/** States change when a group is stored, which is when an epoch has ended, so that they need no copy. */
export const keepGroups = ({ progress }: Training, passes: readonly OpenPass[]): void => {
  progress.groups = groupsOf(passes).map(({ state }) => state.values)
}

/** What follows from the metrics of an epoch: who ends, who leaves, what is saved and reported. */
export const finishWaveEpoch = async (
  training: Training,
  passes: readonly OpenPass[],
  results: readonly Measured[][],
): Promise<OpenPass[]> => {
  const { request, waves, progress, saver } = training
  const wave = waves[progress.wave] as readonly number[]
  const epoch = progress.epoch + 1
  // Nothing from here to the new number of the epoch can be interrupted: states and number belong together.
  await training.hosts.store(groupsOf(passes))
  takeIn(training, groupsOf(passes), results, epoch)
  prune(training, wave, epoch)
  for (const head of wave) settleFolds(runsOfHead(training, head))
  progress.epoch = epoch
  const isActive = (copy: Copy) => runOf(training, copy).end === null
  const left = await leaveGroups(training, passes, isActive)
  keepGroups(training, left)
  await saver?.saveWhenDue(() => stateOf(training))
  for (const head of wave) {
    const last = (runsOfHead(training, head)[0] as Run).history.at(-1)
    if (last?.epoch === epoch) request.onEpoch?.(head, last)
  }
  return left
}
