// Owns how many heads predict in one pass: as many as their outputs and weights fit in memory. Pure.
import type { Dataset, Split } from '../dataset/types.js'
import type { RunRecord } from './run-record.js'

/** Of the heads of one round, in numbers: 256 MiB. */
const MAX_VALUES = 2 ** 26

export interface Member {
  readonly run: RunRecord
  /** Splits that it predicts. */
  readonly splits: readonly Split[]
}

const unitsOf = ({ target }: RunRecord): number =>
  target.kind === 'regression' ? target.outputs.length : target.classes.length

/**
 * Members in their order. One that does not fit has a round of its own.
 *
 * @param maxValues outputs and weights of a round, in numbers.
 */
export const roundsOf = <T extends Member>(
  members: readonly T[],
  { samples }: Pick<Dataset, 'samples'>,
  maxValues: number = MAX_VALUES,
): readonly (readonly T[])[] => {
  const counts: Record<Split, number> = { train: 0, validation: 0, test: 0 }
  for (const { split } of samples) counts[split] += 1
  const valuesOf = ({ run, splits }: Member): number => {
    if (splits.length === 0) return 0
    const rows = splits.reduce((sum, split) => sum + counts[split], 0)
    return rows * unitsOf(run) + run.artifacts.weights.bytes / Float32Array.BYTES_PER_ELEMENT
  }
  const rounds: T[][] = []
  let left = 0
  for (const member of members) {
    const values = valuesOf(member)
    if (rounds.length === 0 || values > Math.max(0, left)) {
      rounds.push([])
      left = maxValues
    }
    rounds.at(-1)?.push(member)
    left -= values
  }
  return rounds
}
