// Owns the order of the heads of a sweep. Pure.
import type { SweepHead, SweepReport } from '../types.js'

export interface RankedHead {
  /** From 1. */
  readonly rank: number
  readonly head: SweepHead
}

const STATE_ORDER = { trained: 0, pruned: 1, diverged: 2 } as const satisfies Record<
  SweepHead['state'],
  number
>

/** Trained heads by their value, then pruned ones by the value they had, then diverged ones. */
export const rankHeads = ({
  heads,
  select,
}: Pick<SweepReport, 'heads' | 'select'>): RankedHead[] => {
  const worst = select.higherIsBetter ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  const sign = select.higherIsBetter ? -1 : 1
  const signed = ({ value }: SweepHead) => sign * (value ?? worst)
  return heads
    .map((head, index) => ({ head, index }))
    .sort((a, b) => {
      const states = STATE_ORDER[a.head.state] - STATE_ORDER[b.head.state]
      const [x, y] = [signed(a.head), signed(b.head)]
      return states || (x < y ? -1 : x > y ? 1 : a.index - b.index)
    })
    .map(({ head }, index) => ({ rank: index + 1, head }))
}

/** Mean and sample standard deviation over folds; null for fewer than two. */
export const spreadOf = (
  folds: readonly number[] | null,
): { readonly mean: number; readonly deviation: number } | null => {
  if (folds === null || folds.length < 2) return null
  const mean = folds.reduce((sum, value) => sum + value, 0) / folds.length
  const squares = folds.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: Math.sqrt(squares / (folds.length - 1)) }
}

/** Heads that a chart shows: evenly over the ranks, the best one always, so that the picture stays true. */
export const spreadOverRanks = <T>(ranked: readonly T[], limit: number): T[] =>
  ranked.length <= limit
    ? [...ranked]
    : Array.from(
        { length: limit },
        (_, i) => ranked[Math.round((i * (ranked.length - 1)) / (limit - 1))] as T,
      )
