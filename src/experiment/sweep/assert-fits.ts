// Owns what a sweep is refused for once its dataset is known, before anything is extracted: a metric
// that does not fit the task, more folds than samples, heads that cannot be trained.
import type { Dataset } from '../../dataset/types.js'
import { HeadstartError } from '../../errors.js'
import type { Selection } from '../../model/sweep-record.js'
import { assertHeadsFit } from '../heads-fit.js'
import { foldOf } from './folds.js'
import type { SweepPlan } from './plan-sweep.js'
import { selectionFor } from './select.js'

/** The smallest class of the train split that has a sample there, and how many it has. */
const smallestClass = ({ samples, target }: Dataset): { name: string; count: number } => {
  const train = samples.filter(({ split }) => split === 'train')
  if (target.kind === 'regression') return { name: 'the train split', count: train.length }
  const counts = new Map<number, number>()
  for (const { label } of train)
    for (const index of label) counts.set(index, (counts.get(index) ?? 0) + 1)
  const [index = 0, count = 0] = [...counts].sort(([, a], [, b]) => a - b)[0] ?? []
  return { name: `the class ${target.classes[index] ?? index} in the train split`, count }
}

/** Folds are hashes of keys: few samples may leave one empty. */
const emptyFold = (folds: number, { samples }: Dataset): number | null => {
  const seen = new Set<number>()
  for (const { key, split } of samples) if (split === 'train') seen.add(foldOf(key, folds))
  for (let fold = 0; fold < folds; fold += 1) if (!seen.has(fold)) return fold
  return null
}

const assertHalvingFits = ({ halving }: SweepPlan, { samples }: Dataset): void => {
  if (halving === null || samples.some(({ split }) => split === 'validation')) return
  throw new HeadstartError(
    'REQUEST_INVALID',
    'halving compares heads on the validation split, which has no sample: leave it out, or set split.validation',
  )
}

const assertFoldsFit = (folds: number | null, dataset: Dataset): void => {
  if (folds === null) return
  const { name, count } = smallestClass(dataset)
  const empty = folds <= count ? emptyFold(folds, dataset) : null
  if (empty !== null)
    throw new HeadstartError(
      'REQUEST_INVALID',
      `folds: of ${folds} folds number ${empty + 1} has no sample of the train split: use fewer, or more samples`,
    )
  if (folds <= count) return
  throw new HeadstartError(
    'REQUEST_INVALID',
    `folds: ${folds} folds, but ${name} has ${count} samples: use at most ${count}, or more samples`,
  )
}

/**
 * Everything that the dataset decides about a plan.
 *
 * @param featureShapes of one sample, one a cut of the experiment.
 * @returns by what the best head is chosen.
 * @throws REQUEST_INVALID for the metric and the folds; HEAD_INVALID with every fault of the heads.
 */
export const assertSweepFits = async (
  plan: SweepPlan,
  dataset: Dataset,
  featureShapes: readonly (readonly number[])[],
): Promise<Selection> => {
  const selection = selectionFor(plan.select, dataset.target.kind)
  assertFoldsFit(plan.folds, dataset)
  assertHalvingFits(plan, dataset)
  const { candidates } = plan
  for (const [cut, shape] of featureShapes.entries()) {
    const heads = new Set(candidates.filter((one) => one.cut === cut).map(({ head }) => head))
    await assertHeadsFit([...heads], dataset, shape)
  }
  return selection
}
