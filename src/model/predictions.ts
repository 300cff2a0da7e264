// Owns what published runs predict on splits, sample by sample, with the heads that are served: all runs on
// the same features in one pass over them. Kept beside the runs. Computes no feature and reads no content.
import type { Dataset, Sample, Split } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { OpenFeatures } from '../features/open-features.js'
import type { PredictionRows } from '../features/prediction-rows.js'
import { openHead } from '../head/predict-head.js'
import { type Sha256, shortId } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { collectorFor } from './prediction-collector.js'
import { openRows, storedRows } from './prediction-features.js'
import { hasPredictions, loadPredictions, savePredictions } from './prediction-files.js'
import { predictBlocks, type SplitHead, type SplitOutputs } from './prediction-pass.js'
import { type Member, roundsOf } from './prediction-rounds.js'
import { loadHead, type RunRecord } from './run-record.js'

export type SplitPredictions = Readonly<Partial<Record<Split, PredictionRows>>>

export interface PredictRequest {
  readonly store: Store
  /** The dataset of the runs, with its labels and splits. */
  readonly dataset: Dataset
  /** Features of every sample in view 0, where they are open; else they are read from the store. */
  readonly features?: Pick<OpenFeatures, 'source' | 'keys'> | null | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PredictSplitsRequest extends PredictRequest {
  /** Runs on the same features, each with the splits that are asked for. */
  readonly wanted: readonly Member[]
  /** Called for one run after another, in the order of `wanted`: what it gets is held for no other. */
  readonly take: (run: RunRecord, predictions: SplitPredictions) => Promise<void>
  /** Outputs and weights of the heads of one pass, in numbers; default: 256 MiB. */
  readonly maxValues?: number | undefined
}

type Samples = ReadonlyMap<Sha256, Sample>
type Outputs = ReadonlyMap<Split, SplitOutputs>

/** Splits of a run whose predictions are not kept. */
const findMissing = async (store: Store, { run, splits }: Member): Promise<Member> => {
  const missing: Split[] = []
  for (const split of splits) if (!(await hasPredictions(store, run, split))) missing.push(split)
  return { run, splits: missing }
}

/** One pass over the features. @returns one a member. */
const predictTogether = async (
  { store, features, signal }: PredictRequest,
  members: readonly Member[],
  samples: Samples,
): Promise<readonly Outputs[]> => {
  const splits = new Set(members.flatMap((one) => one.splits))
  const predicting = members.filter((one) => one.splits.length > 0)
  const [first] = predicting
  if (first === undefined) return members.map(() => new Map())
  const isWanted = (key: Sha256): boolean => {
    const split = samples.get(key)?.split
    return split !== undefined && splits.has(split)
  }
  const heads: SplitHead[] = []
  try {
    for (const { run, splits: own } of predicting)
      heads.push({ head: await openHead(await loadHead(store, run)), splits: own })
    const blocks = features ? openRows(features, isWanted) : storedRows(store, first.run, signal)
    const outputs = await predictBlocks({ heads, samples, blocks, signal })
    return members.map((member) => outputs[predicting.indexOf(member)] ?? new Map())
  } finally {
    for (const { head } of heads) head.close()
  }
}

const rowsOf = (
  { target }: RunRecord,
  { keys, values }: SplitOutputs,
  samples: Samples,
): PredictionRows => {
  const { take, predictions } = collectorFor(target.kind)
  const units = keys.length === 0 ? 0 : values.length / keys.length
  for (const [row, key] of keys.entries())
    take(key, samples.get(key)?.label ?? [], values.subarray(row * units, (row + 1) * units))
  return predictions
}

const loadKept = async (store: Store, run: RunRecord, split: Split): Promise<PredictionRows> => {
  const kept = await loadPredictions(store, run, split)
  if (kept !== null) return kept
  throw new HeadstartError(
    'NOT_FOUND',
    `the predictions of the run ${shortId(run.runId)} were removed meanwhile`,
  )
}

/**
 * The predictions of runs on splits: those that are kept, else computed now and kept. Heads that predict
 * do so together, in as few passes over the features as memory allows.
 *
 * @throws NOT_FOUND when the features were removed; FEATURES_CORRUPT, STORE_CORRUPT, INTERRUPTED, and the
 *   errors of `take`.
 */
export const predictSplits = async (request: PredictSplitsRequest): Promise<void> => {
  const { store, dataset, wanted, take, maxValues } = request
  const samples = new Map(dataset.samples.map((sample) => [sample.key, sample]))
  const missing = await Promise.all(wanted.map((one) => findMissing(store, one)))
  const splitsOf = new Map(wanted.map(({ run, splits }) => [run, splits]))
  for (const round of roundsOf(missing, dataset, maxValues)) {
    const outputs = await predictTogether(request, round, samples)
    for (const [index, { run }] of round.entries()) {
      const predictions: Partial<Record<Split, PredictionRows>> = {}
      for (const split of splitsOf.get(run) ?? []) {
        const computed = outputs[index]?.get(split)
        predictions[split] =
          computed === undefined
            ? await loadKept(store, run, split)
            : await savePredictions(store, run, split, rowsOf(run, computed, samples))
      }
      await take(run, predictions)
    }
  }
}

/**
 * The predictions of one run on one split, as `predictSplits` gives them.
 *
 * @returns one row a sample that has features, in key order.
 * @throws as predictSplits.
 */
export const predictSplit = async ({
  run,
  split,
  ...request
}: PredictRequest & {
  readonly run: RunRecord
  readonly split: Split
}): Promise<PredictionRows> => {
  const found: PredictionRows[] = []
  await predictSplits({
    ...request,
    wanted: [{ run, splits: [split] }],
    take: async (_, { [split]: predictions }) => {
      if (predictions !== undefined) found.push(predictions)
    },
  })
  return found[0] as PredictionRows
}
