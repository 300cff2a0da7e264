// Owns the tails of distributions that significance tests need. Pure; float64.

const MAX_TERMS = 500
const EPSILON = 1e-16
/** Below it the series of erf converges quickly, above it the continued fraction of erfc. */
const SERIES_LIMIT = 2

/** erf by its Maclaurin series; for 0 <= x <= SERIES_LIMIT. */
const erfSeries = (x: number): number => {
  let term = x
  let sum = x
  for (let n = 1; n < MAX_TERMS && Math.abs(term) > EPSILON * Math.abs(sum); n += 1) {
    term *= (-x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * sum
}

/**
 * The complementary error function of x >= 0. Abramowitz and Stegun, "Handbook of Mathematical
 * Functions" (1964): 7.1.5 below SERIES_LIMIT, the continued fraction 7.1.14 above, by Lentz's method.
 */
export const erfc = (x: number): number => {
  if (x < SERIES_LIMIT) return 1 - erfSeries(x)
  const tiny = 1e-300
  let f = x
  let c = x
  let d = 0
  for (let n = 1; n < MAX_TERMS; n += 1) {
    const a = n / 2
    d = 1 / (x + a * d || tiny)
    c = x + a / c || tiny
    const step = c * d
    f *= step
    if (Math.abs(step - 1) < EPSILON) break
  }
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * f)
}

/** P(|Z| >= z) of a standard normal Z; z >= 0. */
export const normalTwoSided = (z: number): number => erfc(z / Math.SQRT2)

/** P(X >= x) of a chi-square X with one degree of freedom; x >= 0. */
export const chiSquareTail = (x: number): number => erfc(Math.sqrt(x / 2))

/** P(X <= k) of a binomial X of n trials with probability 1/2; n up to some 1,000. */
export const fairBinomialTail = (k: number, n: number): number => {
  let term = 2 ** -n
  let sum = 0
  for (let i = 0; i <= k; i += 1) {
    sum += term
    term *= (n - i) / (i + 1)
  }
  return sum
}
