// Owns `headstart runs compare`: two runs on the test samples that both have, in words.
import type { Command } from 'commander'
import { shortId } from '../../identity/hash.js'
import type { Comparison } from '../../model/compare.js'
import { differenceText } from '../../model/compare-specs.js'
import { findRun } from '../../model/find-run.js'
import { type CommonOptions, type Report, runCommand } from '../context.js'
import { addCommonOptions } from '../options.js'
import { fraction, table } from '../tables.js'

const TESTS = {
  'mcnemar-exact': "McNemar's exact test",
  'mcnemar-chi-square': "McNemar's test (chi-square, continuity correction)",
  'wilcoxon-exact': "Wilcoxon's signed-rank test (exact)",
  'wilcoxon-normal': "Wilcoxon's signed-rank test (normal approximation)",
} as const

const verdict = ({ significant, measure, values, test }: Comparison): string => {
  const p = `p = ${test.pValue < 1e-4 ? test.pValue.toExponential(1) : test.pValue.toFixed(4)}`
  if (!significant)
    return `The difference is not significant at 0.05 (${p}): these samples do not tell the two apart.`
  const isHigher = values.a > values.b
  const better = isHigher === (measure === 'accuracy') ? 'A' : 'B'
  return `The difference is significant at 0.05 (${p}): ${better} is better.`
}

export const describeComparison = (comparison: Comparison): string => {
  const { a, b, samples, relabelled, measure, values, test, fields, metrics } = comparison
  const counts = comparison.table
  const facts = table([
    ['A', shortId(a)],
    ['B', shortId(b)],
    [
      'samples',
      `${samples} shared test samples${relabelled === 0 ? '' : `; ${relabelled} with another label in each dataset left out`}`,
    ],
    [
      measure === 'accuracy' ? 'accuracy' : 'mean absolute error',
      `A ${fraction(values.a)}, B ${fraction(values.b)}`,
    ],
    ['test', TESTS[test.test]],
  ])
  const quadrants =
    counts === null
      ? []
      : [
          table(
            [
              ['A right', String(counts.bothRight), String(counts.onlyA)],
              ['A wrong', String(counts.onlyB), String(counts.bothWrong)],
            ],
            ['', 'B right', 'B wrong'],
          ),
        ]
  const differences = [...fields, ...metrics].map((one) => [
    one.name,
    differenceText(one.a),
    differenceText(one.b),
  ])
  const apart =
    differences.length === 0
      ? 'Spec and metrics are the same.'
      : table(differences, ['differs', 'A', 'B'])
  return [facts, ...quadrants, verdict(comparison), apart].join('\n\n')
}

export const addCompareCommand = (runs: Command): void => {
  addCommonOptions(
    runs
      .command('compare')
      .description('compare two runs on the test samples that both have')
      .argument('<a>', 'name, id, or the first 6 or more characters of an id')
      .argument('<b>', 'the other run'),
  )
    .addHelpText(
      'after',
      `
Predictions on the test split are kept beside each run; where there are none they are computed from
the stored features, which counts as a look at the test split.

Examples:
  headstart runs compare pets-v1 pets-v2
  headstart runs compare pets-v1 3f2a9c --json | jq .test.pValue`,
    )
    .action((first: string, second: string, options: CommonOptions) =>
      runCommand(options, async ({ workspace: { store }, signal, progress }): Promise<Report> => {
        const [a, b] = [await findRun(store, first), await findRun(store, second)]
        const { compareRuns } = await import('../../model/compare.js')
        const onNotice = progress.events.onNotice
        const json = await compareRuns({ store, a, b, signal, onNotice })
        return { json, text: describeComparison(json) }
      }),
    )
}
