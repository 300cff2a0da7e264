// Owns the metrics of an epoch: on which rows each training is measured, and measuring all of them in one
// pass over those rows. Rows of view 0, gathered once where they fit in memory.
import { assertNotAborted } from '../../errors.js'
import { plainBatches, rowsOfSplit } from '../batches.js'
import type { TargetScale } from '../targets.js'
import type { TrainingData } from '../types.js'
import { yieldToLoop } from '../yield-to-loop.js'
import type { Copy } from './groups.js'
import type { Group, Hosts } from './hosts.js'
import {
  addRow,
  createTally,
  finishTally,
  type MeasuredSet,
  measuredSet,
  type Tally,
} from './tally.js'
import type { TaskTargets } from './task-targets.js'

/** Keys are hashes, so the first rows in key order are a uniform sample. */
const MAX_TRAIN_ROWS = 4096
const ROWS_A_BATCH = 1024
/** Rows that are gathered once: 256 MiB. */
const MAX_GATHERED_BYTES = 2 ** 28

export interface Measured {
  readonly train: { readonly loss: number; readonly score: number }
  readonly validation: { readonly loss: number; readonly score: number } | null
}

interface Block {
  readonly count: number
  readonly rows: Uint32Array
  readonly features: Float32Array
}

/** On which rows a training is measured. */
interface Sets {
  readonly train: MeasuredSet
  readonly validation: MeasuredSet
}

export interface Measurer {
  /** One result a training, in the order of the groups and of the copies in them. */
  measure(groups: readonly Group[], signal: AbortSignal | undefined): Promise<Measured[][]>
}

const gatherOnce = async (
  data: TrainingData,
  rows: Uint32Array,
  hosts: Hosts,
): Promise<readonly Block[] | null> => {
  if (4 * rows.length * data.width > MAX_GATHERED_BYTES) return null
  const blocks: Block[] = []
  for await (const batch of plainBatches(data.features, rows, ROWS_A_BATCH)) {
    const features = hosts.floats(batch.features.length)
    features.set(batch.features)
    blocks.push({ count: batch.count, rows: batch.rows.slice(), features })
  }
  return blocks
}

export const createMeasurer = async (
  data: TrainingData,
  targets: TaskTargets,
  folds: readonly (number | null)[],
  hosts: Hosts,
): Promise<Measurer> => {
  const { target, labels, splits } = data
  const trainRows = rowsOfSplit(splits, 'train')
  const isFolded = folds.length > 1
  // All rows of a fold are its validation.
  const sample = trainRows.subarray(0, MAX_TRAIN_ROWS)
  const last = sample.at(-1) ?? 0
  const rows = Uint32Array.from([
    ...(isFolded ? trainRows : sample),
    ...rowsOfSplit(splits, 'validation'),
  ]).sort()
  const setOf = (wanted: (row: number) => boolean): MeasuredSet =>
    measuredSet(
      target,
      Array.from(rows.filter(wanted), (row) => labels[row] as readonly number[]),
    )
  const isTrain = (row: number) => splits[row] === 'train'
  const setsOf = (fold: number | null): Sets =>
    fold === null
      ? {
          train: setOf((row) => isTrain(row) && row <= last),
          validation: setOf((row) => !isTrain(row)),
        }
      : {
          train: setOf((row) => isTrain(row) && row <= last && targets.foldOf(row) !== fold),
          validation: setOf((row) => isTrain(row) && targets.foldOf(row) === fold),
        }
  const sets = new Map(folds.map((fold) => [fold, setsOf(fold)]))
  const gathered = await gatherOnce(data, rows, hosts)
  const buffer = gathered === null ? [hosts.floats(ROWS_A_BATCH * data.width)] : []
  const scales = (copies: readonly Copy[]) => copies.map((copy) => targets.of(copy).scale)

  /** In which of a training's tallies a row counts. */
  const tallyFor = (
    fold: number | null,
    tallies: { readonly train: Tally; readonly validation: Tally },
    row: number,
    train: boolean,
  ): Tally | null => {
    if (!train) return fold === null ? tallies.validation : null
    if (fold !== null && targets.foldOf(row) === fold) return tallies.validation
    return row <= last ? tallies.train : null
  }

  interface Work {
    readonly group: Group
    readonly scales: readonly (TargetScale | null)[]
    readonly tallies: readonly { readonly train: Tally; readonly validation: Tally }[]
  }

  const takeIn = (work: Work, block: Block, predictions: Float32Array): void => {
    const { copies } = work.group.plan
    for (let i = 0; i < block.count; i += 1) {
      const row = block.rows[i] as number
      const label = labels[row] as readonly number[]
      const train = isTrain(row)
      for (let head = 0; head < copies.length; head += 1) {
        const tallies = work.tallies[head] as Work['tallies'][number]
        const tally = tallyFor((copies[head] as Copy).fold, tallies, row, train)
        if (tally === null) continue
        const offset = (i * copies.length + head) * targets.units
        addRow(tally, target.kind, predictions, offset, label, work.scales[head] ?? null)
      }
    }
  }

  return {
    measure: async (groups, signal) => {
      const works = groups.map(
        (group): Work => ({
          group,
          scales: scales(group.plan.copies),
          tallies: group.plan.copies.map(({ fold }) => {
            const { train, validation } = sets.get(fold) as Sets
            return { train: createTally(train), validation: createTally(validation) }
          }),
        }),
      )
      const pause = yieldToLoop()
      const blocks = gathered ?? plainBatches(data.features, rows, ROWS_A_BATCH, buffer)
      for await (const block of blocks) {
        assertNotAborted(signal)
        const predictions = await hosts.predict(groups, block.features, block.count)
        for (const [index, work] of works.entries()) {
          takeIn(work, block, predictions[index] as Float32Array)
          await pause()
        }
      }
      return works.map(({ tallies }) =>
        tallies.map(({ train, validation }) => ({
          train: finishTally(train, target.kind) ?? { loss: Number.NaN, score: Number.NaN },
          validation: finishTally(validation, target.kind),
        })),
      )
    },
  }
}
