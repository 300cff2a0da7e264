// Owns comparing the predictions of two runs sample by sample. Pure.
import type { Target } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { PredictionRows } from '../features/prediction-rows.js'
import type { Sha256 } from '../identity/hash.js'
import { type McNemarResult, mcnemar } from './mcnemar.js'
import { type WilcoxonResult, wilcoxon } from './wilcoxon.js'

export interface RowsOfRun {
  readonly target: Target
  readonly predictions: PredictionRows
}

export interface Compared {
  readonly kind: Target['kind']
  /** Shared test samples that were compared. */
  readonly samples: number
  /** Shared samples with another label in each dataset; left out. */
  readonly relabelled: number
  /** accuracy (multi: every label right) or meanAbsoluteError. */
  readonly measure: 'accuracy' | 'meanAbsoluteError'
  /** On the shared samples. */
  readonly values: { readonly a: number; readonly b: number }
  /** Counts of samples; null for a regression. */
  readonly table: {
    readonly bothRight: number
    readonly onlyA: number
    readonly onlyB: number
    readonly bothWrong: number
  } | null
  readonly test: McNemarResult | WilcoxonResult
}

/** What a sample says of one run, in terms that two datasets share. */
interface Judged {
  readonly label: string
  readonly right: boolean
  readonly actual: readonly number[]
  readonly predicted: readonly number[]
}

const judge = ({ target, predictions }: RowsOfRun): ReadonlyMap<Sha256, Judged> => {
  const names = target.kind === 'regression' ? target.outputs : target.classes
  // Classes may stand in another order in each dataset.
  const labelOf = (indices: readonly number[]): string =>
    JSON.stringify(indices.map((index) => names[index]).sort())
  switch (predictions.kind) {
    case 'single':
      return new Map(
        predictions.rows.map(({ key, actual, right }) => [
          key,
          { label: labelOf([actual]), right, actual: [], predicted: [] },
        ]),
      )
    case 'multi':
      return new Map(
        predictions.rows.map(({ key, actual, right }) => [
          key,
          { label: labelOf(actual), right, actual: [], predicted: [] },
        ]),
      )
    case 'regression':
      return new Map(
        predictions.rows.map(({ key, actual, predicted }) => [
          key,
          { label: JSON.stringify([names, actual]), right: false, actual, predicted },
        ]),
      )
    default:
      return predictions satisfies never
  }
}

type Pair = readonly [Judged, Judged]

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

const comparePairs = (
  pairs: readonly Pair[],
): Pick<Compared, 'measure' | 'values' | 'table' | 'test'> => {
  const count = (a: boolean, b: boolean): number =>
    pairs.filter(([one, other]) => one.right === a && other.right === b).length
  const table = {
    bothRight: count(true, true),
    onlyA: count(true, false),
    onlyB: count(false, true),
    bothWrong: count(false, false),
  }
  const { bothRight, onlyA, onlyB } = table
  return {
    measure: 'accuracy',
    values: { a: (bothRight + onlyA) / pairs.length, b: (bothRight + onlyB) / pairs.length },
    table,
    test: mcnemar(onlyA, onlyB),
  }
}

/** Mean absolute deviation of each output over the samples, so that outputs of other units weigh alike. */
const scalesOf = (pairs: readonly Pair[]): readonly number[] => {
  const outputs = pairs[0]?.[0].actual.length ?? 0
  return Array.from({ length: outputs }, (_, output) => {
    const actual = pairs.map(([one]) => one.actual[output] ?? 0)
    const centre = mean(actual)
    return mean(actual.map((value) => Math.abs(value - centre))) || 1
  })
}

const compareErrors = (
  pairs: readonly Pair[],
): Pick<Compared, 'measure' | 'values' | 'table' | 'test'> => {
  const scales = scalesOf(pairs)
  const errorOf = ({ actual, predicted }: Judged, perOutput: readonly number[]): number =>
    mean(actual.map((value, i) => Math.abs((predicted[i] ?? 0) - value) / (perOutput[i] ?? 1)))
  const units = scales.map(() => 1)
  // One output has one unit: its errors are compared as they are.
  const weights = scales.length > 1 ? scales : units
  const differences = pairs.map(([one, other]) => errorOf(one, weights) - errorOf(other, weights))
  return {
    measure: 'meanAbsoluteError',
    values: {
      a: mean(pairs.map(([one]) => errorOf(one, units))),
      b: mean(pairs.map(([, other]) => errorOf(other, units))),
    },
    table: null,
    test: wilcoxon(differences),
  }
}

/**
 * The predictions of two runs of one kind of task on the samples that both have.
 *
 * @throws REQUEST_INVALID when there is no such sample.
 */
export const compareRows = (a: RowsOfRun, b: RowsOfRun): Compared => {
  const [judgedA, judgedB] = [judge(a), judge(b)]
  const shared = [...judgedA].flatMap(([key, one]): Pair[] => {
    const other = judgedB.get(key)
    return other === undefined ? [] : [[one, other]]
  })
  const pairs = shared.filter(([one, other]) => one.label === other.label)
  if (pairs.length === 0)
    throw new HeadstartError(
      'REQUEST_INVALID',
      shared.length === 0
        ? 'the two runs have no test sample in common: compare runs of one dataset, or of datasets that overlap'
        : `the two runs share ${shared.length} test samples, and every one has another label in each dataset`,
    )
  const { kind } = a.target
  return {
    kind,
    samples: pairs.length,
    relabelled: shared.length - pairs.length,
    ...(kind === 'regression' ? compareErrors(pairs) : comparePairs(pairs)),
  }
}
