// Owns one wave: heads that are trained at the same time, epoch by epoch, all groups of a pass on the same
// batches. A training that ended leaves its group, which is packed anew, so that it costs nothing.
import { assertNotAborted } from '../../errors.js'
import { epochBatches } from '../batches.js'
import type { TrainingData } from '../types.js'
import { yieldToLoop } from '../yield-to-loop.js'
import { batchBlocks } from './batch-blocks.js'
import { type Group, openGroup } from './group.js'
import type { Copy, Pass } from './groups.js'
import { initialWeights } from './layers.js'
import type { Sessions } from './sessions.js'
import type { TaskTargets } from './task-targets.js'

export interface WaveRequest {
  readonly data: TrainingData
  readonly trainRows: Uint32Array
  readonly targets: TaskTargets
  readonly sessions: Sessions
  readonly signal: AbortSignal | undefined
}

/** A pass with its groups in memory. */
export interface OpenPass {
  readonly pass: Omit<Pass, 'groups'>
  readonly groups: readonly Group[]
}

export const groupsOf = (passes: readonly OpenPass[]): Group[] =>
  passes.flatMap(({ groups }) => [...groups])

/**
 * Opens the groups of those trainings that have not ended.
 *
 * @param states weights and moments of each open group, as it gave them; without, weights are drawn.
 */
export const openPasses = async (
  request: WaveRequest,
  passes: readonly Pass[],
  isActive: (copy: Copy) => boolean,
  states: readonly Float32Array[] | null,
): Promise<OpenPass[]> => {
  const opened: OpenPass[] = []
  let next = 0
  for (const { groups: plans, ...pass } of passes) {
    const groups: Group[] = []
    for (const plan of plans) {
      const copies = plan.copies.filter(isActive)
      if (copies.length === 0) continue
      const group = await openGroup({ ...request, ...pass, plan: { ...plan, copies } })
      if (states === null) {
        const weights = initialWeights(plan.layers, pass.seed)
        for (const head of copies.keys()) group.memory.write(head, weights)
      } else group.memory.state.set(states[next] as Float32Array)
      next += 1
      groups.push(group)
    }
    if (groups.length > 0) opened.push({ pass, groups })
  }
  return opened
}

/** The passes without the trainings that have ended. */
export const leaveGroups = async (
  request: WaveRequest,
  passes: readonly OpenPass[],
  isActive: (copy: Copy) => boolean,
): Promise<OpenPass[]> => {
  const left: OpenPass[] = []
  for (const { pass, groups } of passes) {
    const packed: Group[] = []
    for (const group of groups) {
      const kept = [...group.plan.copies.entries()].filter(([, copy]) => isActive(copy))
      if (kept.length === 0) continue
      if (kept.length === group.plan.copies.length) {
        packed.push(group)
        continue
      }
      const plan = { ...group.plan, copies: kept.map(([, copy]) => copy) }
      const smaller = await openGroup({ ...request, ...pass, plan })
      for (const [index, [old]] of kept.entries()) smaller.memory.take(index, group.memory, old)
      packed.push(smaller)
    }
    if (packed.length > 0) left.push({ pass, groups: packed })
  }
  return left
}

/** All steps of an epoch. @throws INTERRUPTED, ENGINE_FAILED, and the errors of FeatureSource.read. */
export const runEpoch = async (
  { data, trainRows, signal }: WaveRequest,
  { pass, groups }: OpenPass,
  epoch: number,
): Promise<void> => {
  const { batchSize, views, seed } = pass
  const plan = { rows: trainRows, views, seed, epoch }
  const batches = epochBatches(data.features, plan, batchSize)
  const single = groups.length === 1
  let done = (epoch - 1) * Math.ceil(trainRows.length / batchSize)
  const pause = yieldToLoop()
  for await (const block of batchBlocks(batches, { batchSize, width: data.width, single })) {
    for (const group of groups) {
      for (const [index, batch] of block.entries()) {
        assertNotAborted(signal)
        await group.step(batch, done + index)
        await pause()
      }
    }
    done += block.length
  }
}
