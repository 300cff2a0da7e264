// Owns what a published run predicts on a split, sample by sample: from stored features with the head
// that is served, kept beside the run. Computes no feature and reads no content.
import type { Dataset, Split } from '../dataset/types.js'
import { assertNotAborted, HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { decodePredictions, encodePredictions } from '../features/arrow-predictions.js'
import { loadFeatureSet, loadShard } from '../features/feature-set.js'
import type { PredictionRows, PredictionTable } from '../features/prediction-rows.js'
import { widthOf } from '../features/shard.js'
import { openHead } from '../head/predict-head.js'
import { type Sha256, shortId } from '../identity/hash.js'
import type { Store, StoreKey } from '../store/port.js'
import { collectorFor, type TakeOutputs } from './prediction-collector.js'
import { loadHead, type RunRecord, runKeyPrefix } from './run-record.js'

/** A file of predictions that is larger is not parsed: 10^7 samples of a classifier take 0.5 GB. */
const MAX_BYTES = 2 ** 30

/** Features of some samples, [keys.length, width] row-major. */
export interface FeatureRows {
  readonly keys: readonly Sha256[]
  readonly values: Float32Array
}

export interface PredictSplitRequest {
  readonly store: Store
  readonly run: RunRecord
  /** The dataset of the run, with its labels and splits. */
  readonly dataset: Dataset
  readonly split: Split
  /** Features of view 0 that are in memory; without them they are read from the store. */
  readonly features?: Iterable<FeatureRows> | AsyncIterable<FeatureRows> | undefined
  readonly signal?: AbortSignal | undefined
}

const keyOf = (runId: Sha256, split: Split): StoreKey =>
  `${runKeyPrefix(runId)}predictions-${split}.arrow`

const corrupt = (key: StoreKey, why: string, cause?: unknown): HeadstartError =>
  new HeadstartError('STORE_CORRUPT', `${key} holds no predictions of this run: ${why}`, { cause })

/** @throws STORE_CORRUPT when they are damaged or belong to another run. @returns null: none are kept. */
export const loadPredictions = async (
  store: Store,
  { runId, target }: Pick<RunRecord, 'runId' | 'target'>,
  split: Split,
): Promise<PredictionRows | null> => {
  const key = keyOf(runId, split)
  const info = await store.head(key)
  if (info === null) return null
  if (info.bytes > MAX_BYTES) throw corrupt(key, `${info.bytes} bytes`)
  const bytes = await store.get(key)
  if (bytes === null) return null
  let table: PredictionTable
  try {
    table = decodePredictions(bytes)
  } catch (error) {
    throw corrupt(key, messageOf(error), error)
  }
  const { metadata, predictions } = table
  if (metadata.runId !== runId || metadata.split !== split || metadata.kind !== target.kind)
    throw corrupt(key, `they are of the run ${shortId(metadata.runId)}, ${metadata.split}`)
  return predictions
}

/** Shard by shard: no more than one is in memory. */
async function* storedFeatures(
  store: Store,
  run: RunRecord,
  signal: AbortSignal | undefined,
): AsyncGenerator<FeatureRows> {
  const id = run.extractors[0]?.featureSetId ?? ''
  const set = await loadFeatureSet(store, id)
  if (set === null)
    throw new HeadstartError(
      'NOT_FOUND',
      `the features of the run ${shortId(run.runId)} were removed (feature set ${shortId(id)}): extract them again`,
    )
  for (const entry of set.shards) {
    assertNotAborted(signal)
    const { keys, values, metadata } = await loadShard(store, entry)
    if (
      metadata.extractorId !== set.extractorId ||
      widthOf(set.featureShape) * keys.length !== values.length
    )
      throw new HeadstartError(
        'FEATURES_MISMATCH',
        `shard ${entry.key} belongs to another extractor`,
      )
    yield { keys, values }
  }
}

/** Calls back with the outputs of every sample of the split that has features, in key order. */
const eachPrediction = async (request: PredictSplitRequest, take: TakeOutputs): Promise<void> => {
  const { store, run, dataset, split, signal } = request
  const labelOf = new Map(
    dataset.samples.flatMap((sample) =>
      sample.split === split ? [[sample.key, sample.label] as const] : [],
    ),
  )
  const head = await openHead(await loadHead(store, run))
  try {
    for await (const { keys, values } of request.features ?? storedFeatures(store, run, signal)) {
      assertNotAborted(signal)
      const { inputWidth, outputs } = head
      const wanted = keys.flatMap((key, row) => (labelOf.has(key) ? [{ key, row }] : []))
      const block = new Float32Array(wanted.length * inputWidth)
      wanted.forEach(({ row }, i) => {
        block.set(values.subarray(row * inputWidth, (row + 1) * inputWidth), i * inputWidth)
      })
      const predicted = head.predict(block, wanted.length)
      wanted.forEach(({ key }, i) => {
        take(key, labelOf.get(key) ?? [], predicted.subarray(i * outputs, (i + 1) * outputs))
      })
    }
  } finally {
    head.close()
  }
}

const compute = async (request: PredictSplitRequest): Promise<PredictionRows> => {
  const collected = collectorFor(request.run.target.kind)
  await eachPrediction(request, collected.take)
  return collected.predictions
}

/**
 * The predictions of a run on a split: those that are kept, else computed now and kept.
 *
 * @returns one row a sample that has features, in key order.
 * @throws NOT_FOUND when the features were removed; FEATURES_CORRUPT, STORE_CORRUPT, INTERRUPTED.
 */
export const predictSplit = async (request: PredictSplitRequest): Promise<PredictionRows> => {
  const { store, run, split } = request
  const kept = await loadPredictions(store, run, split)
  if (kept !== null) return kept
  const predictions = await compute(request)
  const { kind } = run.target
  const names = run.target.kind === 'regression' ? run.target.outputs : run.target.classes
  const metadata = { version: 1 as const, runId: run.runId, split, kind, names: [...names] }
  try {
    const bytes = encodePredictions({ metadata, predictions })
    await store.putIfAbsent(keyOf(run.runId, split), bytes)
    return predictions
  } catch (error) {
    // Another device was faster and differs in its last bits: its predictions are the ones that stay.
    const faster = isHeadstartError(error, 'STORE_CONFLICT')
      ? await loadPredictions(store, run, split)
      : null
    if (faster === null) throw error
    return faster
  }
}
