// Owns Wilcoxon's signed-rank test on paired differences. Pure.
import { normalTwoSided } from './special-functions.js'

export interface WilcoxonResult {
  readonly test: 'wilcoxon-exact' | 'wilcoxon-normal'
  /** The smaller of the rank sums of positive and of negative differences. */
  readonly statistic: number
  /** Two-sided. */
  readonly pValue: number
}

const MAX_EXACT = 50

interface Ranked {
  readonly positive: number
  readonly negative: number
  /** Sum of t^3 - t over groups of t equal differences. */
  readonly tied: number
}

/** Ranks of the absolute differences, equal ones sharing the mean of their ranks. */
const rankSums = (differences: readonly number[]): Ranked => {
  const sorted = [...differences].sort((a, b) => Math.abs(a) - Math.abs(b))
  let [positive, negative, tied] = [0, 0, 0]
  for (let begin = 0; begin < sorted.length; ) {
    let end = begin + 1
    const size = Math.abs(sorted[begin] as number)
    while (end < sorted.length && Math.abs(sorted[end] as number) === size) end += 1
    const rank = (begin + 1 + end) / 2
    for (const value of sorted.slice(begin, end)) {
      if (value > 0) positive += rank
      else negative += rank
    }
    tied += (end - begin) ** 3 - (end - begin)
    begin = end
  }
  return { positive, negative, tied }
}

/** P(rank sum <= statistic) over all signs of n ranks. */
const exactTail = (statistic: number, n: number): number => {
  const most = (n * (n + 1)) / 2
  // counts[s]: in how many ways some of the ranks 1..k sum to s; at most 2^50, exact in float64.
  const counts = new Float64Array(most + 1)
  counts[0] = 1
  for (let rank = 1; rank <= n; rank += 1)
    for (let sum = most; sum >= rank; sum -= 1)
      counts[sum] = (counts[sum] as number) + (counts[sum - rank] as number)
  const below = counts.subarray(0, statistic + 1).reduce((total, ways) => total + ways, 0)
  return below / 2 ** n
}

/**
 * Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945). Differences of
 * zero are left out. Exact for up to 50 differences without ties; else the normal approximation with
 * the correction for ties, without one for continuity.
 */
export const wilcoxon = (differences: readonly number[]): WilcoxonResult => {
  const different = differences.filter((value) => value !== 0)
  const n = different.length
  const { positive, negative, tied } = rankSums(different)
  const statistic = Math.min(positive, negative)
  if (n <= MAX_EXACT && tied === 0) {
    const pValue = Math.min(1, 2 * exactTail(statistic, n))
    return { test: 'wilcoxon-exact', statistic, pValue }
  }
  const mean = (n * (n + 1)) / 4
  const variance = (n * (n + 1) * (2 * n + 1)) / 24 - tied / 48
  const z = Math.abs(statistic - mean) / Math.sqrt(variance)
  return { test: 'wilcoxon-normal', statistic, pValue: normalTwoSided(z) }
}
