// Significance tests against scipy, on many tables and samples.
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/head/random.js'
import { mcnemar } from '../../src/model/mcnemar.js'
import { erfc } from '../../src/model/special-functions.js'
import { wilcoxon } from '../../src/model/wilcoxon.js'
import { runPython } from '../support/python.js'

const REFERENCE = `
import json, sys
from scipy import special, stats

given = json.loads(sys.argv[1])
print(json.dumps({
    "erfc": [float(special.erfc(x)) for x in given["erfc"]],
    "exact": [float(stats.binomtest(b, b + c, 0.5).pvalue) for b, c in given["exact"]],
    "large": [float(stats.chi2.sf((abs(b - c) - 1) ** 2 / (b + c), 1)) for b, c in given["large"]],
    "pairs": [
        [float(r.statistic), float(r.pvalue)]
        for values, method in given["pairs"]
        for r in [stats.wilcoxon(values, zero_method="wilcox", correction=False, method=method)]
    ],
}))
`

const random = createRandom('significance')
const tables = (count: number, most: number): [number, number][] =>
  Array.from({ length: count }, () => [random.below(most), 1 + random.below(most)])

/** Differences, rounded to `step` so that some are equal; 0: no two are. */
const differences = (count: number, shift: number, step: number): number[] =>
  Array.from({ length: count }, () => {
    const value = random.float() + random.float() - 1 + shift
    return step === 0 ? value : Math.round(value / step) * step
  })

const pairs: [number[], 'exact' | 'approx'][] = [
  ...[1, 2, 5, 20, 50].flatMap((count) =>
    [0, 0.2].map((shift): [number[], 'exact'] => [differences(count, shift, 0), 'exact']),
  ),
  ...[51, 300].flatMap((count) =>
    [0, 0.05].map((shift): [number[], 'approx'] => [differences(count, shift, 0), 'approx']),
  ),
  ...[10, 40, 200].map((count): [number[], 'approx'] => [differences(count, 0.1, 0.25), 'approx']),
]

const given = {
  erfc: [0, 1e-3, 0.1, 0.5, 1, 1.5, 1.99, 2, 2.01, 3, 5, 10, 20],
  exact: [[0, 1], [1, 0], [5, 5], [0, 40], [3, 997], [480, 520], ...tables(40, 400)],
  large: [
    [600, 600],
    [600, 601],
    [400, 700],
    [5000, 5300],
    ...tables(10, 20_000).map(([b, c]) => [b + 900, c + 900]),
  ],
  pairs,
} as { erfc: number[]; exact: [number, number][]; large: [number, number][]; pairs: typeof pairs }

interface Reference {
  readonly erfc: readonly number[]
  readonly exact: readonly number[]
  readonly large: readonly number[]
  readonly pairs: readonly (readonly [number, number])[]
}
const reference = JSON.parse(runPython(REFERENCE, [JSON.stringify(given)])) as Reference

/** Within a relative 1e-9. */
const expectClose = (found: number, wanted: number | undefined): void => {
  expect(wanted).toBeTypeOf('number')
  const scale = Math.abs(wanted ?? 0)
  expect(Math.abs(found - (wanted ?? 0))).toBeLessThanOrEqual(1e-9 * scale + 1e-300)
}

describe('scipy agrees', () => {
  it('with the complementary error function', () => {
    given.erfc.forEach((x, i) => {
      expectClose(erfc(x), reference.erfc[i])
    })
  })

  it("with McNemar's exact test up to 1,000 discordant pairs", () => {
    given.exact.forEach(([b, c], i) => {
      const result = mcnemar(b, c)
      expect(result).toMatchObject({ test: 'mcnemar-exact', statistic: null })
      expectClose(result.pValue, reference.exact[i])
    })
  })

  it("with McNemar's chi-square above", () => {
    given.large.forEach(([b, c], i) => {
      const result = mcnemar(b, c)
      expect(result.test).toBe('mcnemar-chi-square')
      if (b !== c) expectClose(result.pValue, reference.large[i])
    })
  })

  it("with Wilcoxon's test, exact and approximate, with ties and zeros", () => {
    given.pairs.forEach(([values, method], i) => {
      const result = wilcoxon(values)
      expect(result.test).toBe(method === 'exact' ? 'wilcoxon-exact' : 'wilcoxon-normal')
      expectClose(result.statistic, reference.pairs[i]?.[0])
      expectClose(result.pValue, reference.pairs[i]?.[1])
    })
  })
})

describe('two that do not differ', () => {
  it('are as likely as can be', () => {
    expect(mcnemar(0, 0).pValue).toBe(1)
    expect(mcnemar(7, 7).pValue).toBe(1)
    expect(mcnemar(600, 600).pValue).toBe(1)
    expect(wilcoxon([]).pValue).toBe(1)
    expect(wilcoxon([0, 0]).pValue).toBe(1)
    expect(wilcoxon([1, -1]).pValue).toBe(1)
  })

  it('differ alike whichever comes first', () => {
    expect(mcnemar(30, 12)).toEqual(mcnemar(12, 30))
    expect(wilcoxon([1, 2, -3, 4])).toEqual(wilcoxon([-1, -2, 3, -4]))
  })
})
