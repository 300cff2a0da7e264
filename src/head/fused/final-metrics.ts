// Owns the metrics of trained heads at the weights that were kept: whole tables, on every row of train and
// validation, and of each fold on the rows that it did not see. Many heads in one pass over the features.
import { assertNotAborted } from '../../errors.js'
import { plainBatches } from '../batches.js'
import { metricsOf } from '../metrics.js'
import { unscale } from '../targets.js'
import type { SplitMetrics, TrainingData } from '../types.js'
import { yieldToLoop } from '../yield-to-loop.js'
import type { Copy, GroupPlan } from './groups.js'
import type { Group, Hosts } from './hosts.js'
import { parametersOf } from './layers.js'
import type { TaskTargets } from './task-targets.js'

const ROWS_A_BATCH = 1024
/** Predictions and weights that are held at one time, in numbers. */
const MAX_VALUES = 2 ** 26

/** Sets of rows by their name, each ascending; no row is in two of them. */
export type RowSets = Readonly<Record<string, Uint32Array>>

/** The predictions of one training for one of its sets, as far as they are known. */
interface Collected {
  readonly name: string
  readonly rows: Uint32Array
  readonly predictions: Float32Array
  filled: number
}

/** The plans in rounds whose predictions and weights fit in memory, at least one head in each. */
const roundsOf = (plans: readonly GroupPlan[], predictionsAHead: number): GroupPlan[][] => {
  const rounds: GroupPlan[][] = []
  let left = 0
  for (const plan of plans) {
    const size = Math.max(1, predictionsAHead + parametersOf(plan.layers))
    for (let begin = 0; begin < plan.copies.length; ) {
      if (left < size) {
        rounds.push([])
        left = Math.max(size, MAX_VALUES)
      }
      const copies = plan.copies.slice(begin, begin + Math.floor(left / size))
      rounds.at(-1)?.push({ ...plan, copies })
      begin += copies.length
      left -= copies.length * size
    }
  }
  return rounds
}

/** Takes over the rows of a set from predictions [count, heads, units] of one head. */
const take = (
  set: Collected,
  rows: Uint32Array,
  predictions: Float32Array,
  { head, heads, units }: { readonly head: number; readonly heads: number; readonly units: number },
): void => {
  for (let index = 0; index < rows.length; index += 1) {
    if (set.rows[set.filled] !== rows[index]) continue
    const from = (index * heads + head) * units
    const to = set.filled * units
    for (let unit = 0; unit < units; unit += 1)
      set.predictions[to + unit] = predictions[from + unit] as number
    set.filled += 1
  }
}

interface Kept {
  readonly data: TrainingData
  readonly targets: TaskTargets
  readonly plans: readonly GroupPlan[]
  readonly hosts: Hosts
  /** A group at the weights that are measured. */
  readonly open: (plan: GroupPlan) => Promise<Group>
  /** The sets of a training; equal trainings give the same arrays. */
  readonly setsOf: (copy: Copy) => RowSets
  readonly onMetrics: (copy: Copy, metrics: Readonly<Record<string, SplitMetrics>>) => void
  readonly signal: AbortSignal | undefined
}

interface Work {
  readonly group: Group
  /** The sets of each head. */
  readonly collected: readonly (readonly Collected[])[]
}

const openWork = async ({ targets, open, setsOf }: Kept, plan: GroupPlan): Promise<Work> => ({
  group: await open(plan),
  collected: plan.copies.map((copy) =>
    Object.entries(setsOf(copy)).map(([name, rows]) => {
      const predictions = new Float32Array(rows.length * targets.units)
      return { name, rows, predictions, filled: 0 }
    }),
  ),
})

const predictAll = async (kept: Kept, works: readonly Work[], rows: Uint32Array): Promise<void> => {
  const { data, targets, hosts, signal } = kept
  const { units } = targets
  const groups = works.map(({ group }) => group)
  const buffer = [hosts.floats(ROWS_A_BATCH * data.width)]
  const pause = yieldToLoop()
  for await (const batch of plainBatches(data.features, rows, ROWS_A_BATCH, buffer)) {
    assertNotAborted(signal)
    const found = batch.rows.subarray(0, batch.count)
    const predictions = await hosts.predict(groups, batch.features, batch.count)
    for (const [index, { collected }] of works.entries()) {
      const own = predictions[index] as Float32Array
      const heads = collected.length
      for (const [head, sets] of collected.entries()) {
        for (const set of sets) take(set, found, own, { head, heads, units })
      }
      await pause()
    }
  }
}

/**
 * Calls `onMetrics` for each training with the metrics of each of its sets of rows; a set without rows is
 * left out.
 *
 * @throws INTERRUPTED, ENGINE_FAILED, and the errors of FeatureSource.read.
 */
export const measureKept = async (kept: Kept): Promise<void> => {
  const { data, targets, plans, hosts, setsOf, onMetrics } = kept
  const sets = new Set(
    plans.flatMap(({ copies }) => copies.flatMap((copy) => Object.values(setsOf(copy)))),
  )
  const all = Uint32Array.from(new Set([...sets].flatMap((rows) => [...rows]))).sort()
  const labels = new Map(
    [...sets].map((rows) => [
      rows,
      Array.from(rows, (row) => data.labels[row] as readonly number[]),
    ]),
  )
  const pause = yieldToLoop()
  for (const round of roundsOf(plans, all.length * targets.units)) {
    const works: Work[] = []
    for (const plan of round) works.push(await openWork(kept, plan))
    await predictAll(kept, works, all)
    await hosts.close(works.map(({ group }) => group))
    for (const [copy, own] of works.flatMap(({ group, collected }) =>
      group.plan.copies.map((one, head) => [one, collected[head] ?? []] as const),
    )) {
      const { scale } = targets.of(copy)
      const metrics: Record<string, SplitMetrics> = {}
      for (const { name, rows, predictions } of own.filter((set) => set.rows.length > 0)) {
        if (scale !== null) unscale(predictions, scale)
        metrics[name] = metricsOf(data.target, predictions, labels.get(rows) ?? [])
      }
      onMetrics(copy, metrics)
      await pause()
    }
  }
}
