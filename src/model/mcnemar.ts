// Owns McNemar's test: whether two classifiers are right equally often on the same samples. Pure.
import { chiSquareTail, fairBinomialTail } from './special-functions.js'

export interface McNemarResult {
  readonly test: 'mcnemar-exact' | 'mcnemar-chi-square'
  /** Chi-square with continuity correction; null for the exact test. */
  readonly statistic: number | null
  /** Two-sided. */
  readonly pValue: number
}

/** Above it the binomial's terms leave float64, and the approximation is better than 1e-3 of p. */
const MAX_EXACT = 1000

/**
 * McNemar, "Note on the sampling error of the difference between correlated proportions or
 * percentages", Psychometrika 12 (1947): under equal accuracy the samples that only one gets right
 * fall to either side like a fair coin. Exact binomial up to 1,000 of them; above, chi-square with the
 * continuity correction of Edwards, Psychometrika 13 (1948).
 *
 * @param onlyFirst samples that only the first gets right.
 * @param onlySecond samples that only the second gets right.
 */
export const mcnemar = (onlyFirst: number, onlySecond: number): McNemarResult => {
  const discordant = onlyFirst + onlySecond
  if (discordant <= MAX_EXACT) {
    const tail = fairBinomialTail(Math.min(onlyFirst, onlySecond), discordant)
    return { test: 'mcnemar-exact', statistic: null, pValue: Math.min(1, 2 * tail) }
  }
  const difference = Math.max(0, Math.abs(onlyFirst - onlySecond) - 1)
  const statistic = difference ** 2 / discordant
  return { test: 'mcnemar-chi-square', statistic, pValue: chiSquareTail(statistic) }
}
