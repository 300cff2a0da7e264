// Owns one wave: heads that are trained at the same time, epoch by epoch, all groups of a pass on the same
// batches. A training that ended leaves its group, which is packed anew, so that it costs nothing.
import type { TrainingData } from '../types.js'
import type { GroupState } from './group-state.js'
import type { Copy, GroupPlan, Pass } from './groups.js'
import { allEnded, type Group, type Hosts } from './hosts.js'
import { initialWeights } from './layers.js'
import type { StepBlocks } from './step-blocks.js'
import type { TaskTargets } from './task-targets.js'

export interface WaveRequest {
  readonly data: TrainingData
  readonly trainRows: Uint32Array
  readonly targets: TaskTargets
  readonly hosts: Hosts
  /** As many as there are hosts. */
  readonly blocks: readonly StepBlocks[]
}

/** A pass with its open groups. */
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
  const { hosts } = request
  const opened: OpenPass[] = []
  let next = 0
  const fillOf = (plan: GroupPlan, seed: number) => {
    const given = states?.[next]
    next += 1
    if (given !== undefined) return ({ values }: GroupState) => values.set(given)
    const weights = initialWeights(plan.layers, seed)
    return (state: GroupState) => {
      for (const head of plan.copies.keys()) state.write(head, weights)
    }
  }
  for (const { groups: plans, ...pass } of passes) {
    const groups: Group[] = []
    for (const plan of plans) {
      const copies = plan.copies.filter(isActive)
      if (copies.length === 0) continue
      const active = { ...plan, copies }
      groups.push(await hosts.open({ ...pass, plan: active, fill: fillOf(active, pass.seed) }))
    }
    if (groups.length === 0) continue
    opened.push({ pass, groups })
  }
  return opened
}

/** The group with some of its heads, or with all of them as it is; null without any. */
const shrink = async (
  hosts: Hosts,
  { batchSize, seed }: OpenPass['pass'],
  group: Group,
  isActive: (copy: Copy) => boolean,
): Promise<Group | null> => {
  const { plan, state } = group
  const kept = [...plan.copies.entries()].filter(([, copy]) => isActive(copy))
  if (kept.length === plan.copies.length) return group
  await hosts.close([group])
  if (kept.length === 0) return null
  const fill = (smaller: GroupState) => {
    for (const [index, [old]] of kept.entries()) smaller.take(index, state, old)
  }
  const left = { ...plan, copies: kept.map(([, copy]) => copy) }
  return hosts.open({ plan: left, batchSize, seed, fill })
}

/** The passes without the trainings that have ended. The states of all groups are up to date. */
export const leaveGroups = async (
  { hosts }: WaveRequest,
  passes: readonly OpenPass[],
  isActive: (copy: Copy) => boolean,
): Promise<OpenPass[]> => {
  const left: OpenPass[] = []
  for (const open of passes) {
    const groups: Group[] = []
    for (const group of open.groups) {
      const smaller = await shrink(hosts, open.pass, group, isActive)
      if (smaller !== null) groups.push(smaller)
    }
    if (groups.length > 0) left.push({ ...open, groups })
  }
  return left
}

/** The blocks of an epoch through all groups of a pass: the next one is read while hosts train on one. */
const runPass = async (
  { hosts, trainRows }: WaveRequest,
  { pass, groups }: OpenPass,
  blocks: StepBlocks,
  epoch: number,
): Promise<void> => {
  const { batchSize, views, seed } = pass
  let step = (epoch - 1) * Math.ceil(trainRows.length / batchSize)
  let trained = Promise.resolve()
  try {
    for await (const block of blocks.read({ rows: trainRows, views, seed, epoch }, batchSize)) {
      await trained
      trained = hosts.train(groups, block, step)
      // Whether it failed is asked with the next block, or below.
      trained.catch(() => {})
      step += Math.ceil(block.count / batchSize)
    }
  } finally {
    await trained
  }
}

/**
 * One epoch of all passes; several at the same time where there are several hosts and the features are in
 * memory, because a pass may have fewer groups than there are hosts.
 *
 * @throws INTERRUPTED, ENGINE_FAILED, and the errors of FeatureSource.read.
 */
export const runEpoch = async (
  request: WaveRequest,
  passes: readonly OpenPass[],
  epoch: number,
): Promise<void> => {
  const { data, blocks } = request
  const left = passes.values()
  let failed = false
  const work = async (own: StepBlocks): Promise<void> => {
    for (const pass of left) {
      if (failed) return
      try {
        await runPass(request, pass, own, epoch)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await allEnded((data.features.resident === null ? blocks.slice(0, 1) : blocks).map(work))
}
