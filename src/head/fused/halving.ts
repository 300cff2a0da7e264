// Owns successive halving: after which epochs heads are pruned, and which. Pure.
import type { Halving } from './types.js'

/** Whether heads are compared after this epoch: `epochs`, `epochs * factor`, ... rounded down. */
export const isRung = ({ epochs, factor }: Halving, epoch: number): boolean => {
  let rung = epochs
  while (Math.floor(rung) < epoch) rung *= factor
  return Math.floor(rung) === epoch
}

/**
 * The heads to prune, by index.
 *
 * @param values of the heads that still train: the watched metric of the last epoch. Of equals the
 *   earlier one goes on.
 */
export const prunedOf = (
  { factor, metric }: Halving,
  values: readonly { readonly head: number; readonly value: number }[],
): number[] => {
  const kept = Math.max(1, Math.floor(values.length / factor))
  const sign = metric === 'loss' ? 1 : -1
  const ranked = [...values].sort((a, b) => sign * (a.value - b.value) || a.head - b.head)
  return ranked.slice(kept).map(({ head }) => head)
}
