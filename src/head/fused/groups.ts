// Owns which heads share one matrix product, and which groups share their batches. Pure.

import type { PresetSpec } from '../spec.js'
import { type LayerShape, layerShapes, parametersOf } from './layers.js'
import type { TogetherHead } from './types.js'

/** One training: a head on all train rows, or without those of one fold. */
export interface Copy {
  /** Index of the head in the request. */
  readonly head: number
  readonly fold: number | null
  readonly spec: PresetSpec
}

/** What all copies of a group have in common. */
export interface GroupPlan {
  readonly copies: readonly Copy[]
  readonly layers: readonly LayerShape[]
  readonly dropout: number
  /** adam and adamw differ in the decay only, which is a number of each head. */
  readonly optimizer: 'adam' | 'sgd'
}

/** Groups that are fed the same batches. */
export interface Pass {
  readonly batchSize: number
  readonly views: number
  readonly seed: number
  readonly groups: readonly GroupPlan[]
}

/**
 * Weights of a group, in numbers: 1 MiB. With gradients and moments they take 4 MiB, which stay near a core
 * from step to step, and many heads make groups for many cores. Wider products gain less than memory costs.
 */
const MAX_GROUP_PARAMETERS = 2 ** 18
/** Activations of the widest layer of a group in one step, in numbers: 256 MiB. */
const MAX_GROUP_ACTIVATIONS = 2 ** 26
/** Weights of everything that is trained at one time, in numbers: 256 MiB, seven times that with state. */
const MAX_WAVE_PARAMETERS = 2 ** 26

export interface Task {
  /** Numbers of one feature. */
  readonly width: number
  /** Outputs of the task. */
  readonly units: number
  readonly trainRows: number
}

const shapesOf = ({ spec }: Pick<TogetherHead, 'spec'>, { width, units }: Task): LayerShape[] =>
  layerShapes(spec, width, units)

/** A batch is never larger than the train split. */
const batchSizeOf = ({ spec }: TogetherHead, { trainRows }: Task): number =>
  Math.max(1, Math.min(spec.batchSize, trainRows))

const passKey = (head: TogetherHead, task: Task): string =>
  JSON.stringify([batchSizeOf(head, task), head.views, head.seed])

const groupKey = ({ spec }: TogetherHead): string =>
  JSON.stringify([
    spec.kind,
    spec.kind === 'mlp' ? [spec.width, spec.depth] : null,
    spec.dropout,
    spec.optimizer === 'sgd',
  ])

/** Values by key, in the order in which keys and values come. */
const gather = <T>(values: readonly T[], keyOf: (value: T) => string): T[][] => {
  const found = new Map<string, T[]>()
  for (const value of values) {
    const key = keyOf(value)
    const list = found.get(key)
    if (list === undefined) found.set(key, [value])
    else list.push(value)
  }
  return [...found.values()]
}

/** As few slices of at most `size` as there must be, of sizes that differ by one at most. */
const slices = <T>(values: readonly T[], size: number): T[][] => {
  const count = Math.ceil(values.length / size)
  const cut = (index: number) => Math.floor((index * values.length) / count)
  return Array.from({ length: count }, (_, index) => values.slice(cut(index), cut(index + 1)))
}

/** How many copies of these shapes one group may hold. */
const groupSize = (layers: readonly LayerShape[], batchSize: number): number => {
  const widest = Math.max(...layers.map(({ units }) => units))
  return Math.max(
    1,
    Math.min(
      Math.floor(MAX_GROUP_PARAMETERS / parametersOf(layers)),
      Math.floor(MAX_GROUP_ACTIVATIONS / (widest * batchSize)),
    ),
  )
}

/**
 * Heads, by index, that are trained at the same time; those of the next list after them. Everything is
 * in one list unless its weights would not fit in memory with their state.
 *
 * @param copies trainings a head.
 */
export const planWaves = (
  heads: readonly TogetherHead[],
  copies: number,
  task: Task,
  limit = MAX_WAVE_PARAMETERS,
): number[][] => {
  const waves: number[][] = []
  let used = Number.POSITIVE_INFINITY
  for (const [index, head] of heads.entries()) {
    const size = copies * parametersOf(shapesOf(head, task))
    if (used + size > limit) {
      waves.push([])
      used = 0
    }
    used += size
    waves.at(-1)?.push(index)
  }
  return waves
}

/** The passes of some heads, each with its folds beside it. A function of its arguments alone. */
export const planPasses = (
  heads: readonly TogetherHead[],
  wave: readonly number[],
  folds: readonly (number | null)[],
  task: Task,
): Pass[] => {
  const members = wave.map((index) => ({ index, head: heads[index] as TogetherHead }))
  return gather(members, ({ head }) => passKey(head, task)).map((together) => {
    const { head } = together[0] as (typeof members)[number]
    const batchSize = batchSizeOf(head, task)
    const groups = gather(together, (member) => groupKey(member.head)).flatMap((alike) => {
      const { spec } = (alike[0] as (typeof members)[number]).head
      const layers = shapesOf({ spec }, task)
      const copies = alike.flatMap((member): Copy[] =>
        folds.map((fold) => ({ head: member.index, fold, spec: member.head.spec })),
      )
      const optimizer = spec.optimizer === 'sgd' ? 'sgd' : 'adam'
      return slices(copies, groupSize(layers, batchSize)).map(
        (part): GroupPlan => ({ copies: part, layers, dropout: spec.dropout, optimizer }),
      )
    })
    return { batchSize, views: head.views, seed: head.seed, groups }
  })
}
