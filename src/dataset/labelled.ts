// Owns turning joined samples into a dataset: classes, label indices, splits, ids. Pure.
// Refuses what no head can learn from: no samples, one class, classes of one sample, no train split.
import { HeadstartError } from '../errors.js'
import { contentIdOf } from '../identity/ids.js'
import type { Collapsed, Joined } from './collapse.js'
import { datasetIdOf } from './dataset-id.js'
import { listSome, type RawLabel } from './source.js'
import { DEFAULT_SPLIT, type SplitSpec, type TargetKind } from './spec.js'
import { assignSplits } from './split.js'
import type { Content, Dataset, Sample, Split, Target } from './types.js'

export interface LabelRequest {
  /** What the messages call the dataset. */
  readonly from: string
  readonly content: Content
  readonly target: TargetKind
  /** Labels of all entries, those left out too: a class does not vanish silently. */
  readonly labels: Iterable<RawLabel>
  /** Given: split by key, whatever the source says. */
  readonly split: SplitSpec | undefined
}

const MIN_CLASS_SAMPLES = 2

/** Class names: by number where all were written as numbers, else by code unit. */
const classesOf = (labels: Iterable<RawLabel>): string[] => {
  const values = new Set<string | number>()
  for (const label of labels) for (const value of label) values.add(value)
  const numbers = [...values].filter((value) => typeof value === 'number')
  if (numbers.length === values.size) return numbers.sort((a, b) => a - b).map(String)
  return [...new Set([...values].map(String))].sort()
}

const targetOf = ({ from, target, labels }: LabelRequest, samples: readonly Joined[]): Target => {
  if (target === 'regression') {
    const count = samples[0]?.label.length ?? 0
    return { kind: target, outputs: Array.from({ length: count }, (_, n) => `output_${n}`) }
  }
  const classes = classesOf(labels)
  if (classes.length < (target === 'single' ? 2 : 1)) {
    const found = classes.length === 0 ? 'no class' : `only the class "${classes[0]}"`
    throw new HeadstartError('DATASET_TOO_FEW_CLASSES', `${from} has ${found}`)
  }
  return { kind: target, classes }
}

const indexLabels = (target: Target, samples: readonly Joined[]): number[][] => {
  if (target.kind === 'regression') return samples.map(({ label }) => label.map(Number))
  const indexOf = new Map(target.classes.map((name, index) => [name, index]))
  return samples.map(({ label }) => {
    const indices = new Set(label.map((value) => indexOf.get(String(value)) ?? -1))
    return [...indices].sort((a, b) => a - b)
  })
}

const assertClassSizes = (from: string, target: Target, labels: readonly number[][]): void => {
  if (target.kind !== 'single') return
  const counts = target.classes.map(() => 0)
  for (const [index = -1] of labels) counts[index] = (counts[index] ?? 0) + 1
  const small = target.classes
    .map((name, index) => ({ name, count: counts[index] ?? 0 }))
    .filter(({ count }) => count < MIN_CLASS_SAMPLES)
  if (small.length === 0) return
  const details = listSome(small.map(({ name, count }) => `${name}: ${count}`))
  const names = listSome(small.map(({ name }) => name)).join(', ')
  throw new HeadstartError(
    'DATASET_CLASS_TOO_SMALL',
    `${from} has fewer than ${MIN_CLASS_SAMPLES} distinct samples of: ${names}`,
    { details },
  )
}

const splitsOf = (
  request: LabelRequest,
  target: Target,
  { samples, labels }: { samples: readonly Joined[]; labels: readonly number[][] },
): { splits: Split[]; notes: string[] } => {
  const given = samples.map(({ split }) => split).filter((split) => split !== undefined)
  const group = (index: number) => (target.kind === 'single' ? (labels[index]?.[0] ?? 0) : 0)
  if (request.split !== undefined || given.length < samples.length) {
    const splittable = samples.map(({ key }, index) => ({ key, group: group(index) }))
    return { splits: assignSplits(splittable, request.split ?? DEFAULT_SPLIT), notes: [] }
  }
  if (!given.includes('train')) {
    throw new HeadstartError('DATASET_INVALID', `${request.from} has no sample in the split train`)
  }
  if (target.kind !== 'single') return { splits: given, notes: [] }
  const trained = new Set(labels.filter((_, index) => given[index] === 'train').map(([n]) => n))
  const untrained = target.classes.filter((_, index) => !trained.has(index))
  const notes = listSome(untrained).map((name) => `class ${name} has no sample in train`)
  return { splits: given, notes }
}

/**
 * Makes the dataset of collapsed samples.
 *
 * @throws DATASET_EMPTY, DATASET_TOO_FEW_CLASSES, DATASET_CLASS_TOO_SMALL, DATASET_INVALID
 */
export const labelDataset = (
  request: LabelRequest,
  { samples: joined, notes }: Collapsed,
): Dataset => {
  const target = targetOf(request, joined)
  const labels = indexLabels(target, joined)
  assertClassSizes(request.from, target, labels)
  if (joined.length === 0) {
    const details = [...notes]
    throw new HeadstartError('DATASET_EMPTY', `${request.from} has no sample left`, { details })
  }
  const assigned = splitsOf(request, target, { samples: joined, labels })
  const samples: Sample[] = joined.map(({ key, names }, index) => ({
    key,
    names,
    label: labels[index] ?? [],
    split: assigned.splits[index] ?? 'train',
  }))
  const contentId = contentIdOf(samples.map(({ key }) => key))
  const facts = { content: request.content, contentId, target, samples }
  return { ...facts, datasetId: datasetIdOf(facts), notes: [...notes, ...assigned.notes] }
}
