// Owns the files of predictions that are kept beside runs, one a split. Refuses those that are damaged or
// belong to another run.
import type { Split } from '../dataset/types.js'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { decodePredictions, encodePredictions } from '../features/arrow-predictions.js'
import type { PredictionRows, PredictionTable } from '../features/prediction-rows.js'
import { type Sha256, shortId } from '../identity/hash.js'
import type { Store, StoreKey } from '../store/port.js'
import { type RunRecord, runKeyPrefix } from './run-record.js'

/** A file of predictions that is larger is not parsed: 10^7 samples of a classifier take 0.5 GB. */
const MAX_BYTES = 2 ** 30

type Predicted = Pick<RunRecord, 'runId' | 'target'>

const keyOf = (runId: Sha256, split: Split): StoreKey =>
  `${runKeyPrefix(runId)}predictions-${split}.arrow`

const corrupt = (key: StoreKey, why: string, cause?: unknown): HeadstartError =>
  new HeadstartError('STORE_CORRUPT', `${key} holds no predictions of this run: ${why}`, { cause })

/** Whether predictions are kept; does not read them. */
export const hasPredictions = async (
  store: Store,
  { runId }: Predicted,
  split: Split,
): Promise<boolean> => (await store.head(keyOf(runId, split))) !== null

/** @throws STORE_CORRUPT when they are damaged or belong to another run. @returns null: none are kept. */
export const loadPredictions = async (
  store: Store,
  { runId, target }: Predicted,
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

/** @returns the predictions that are kept from now on. @throws STORE_CORRUPT as loadPredictions. */
export const savePredictions = async (
  store: Store,
  run: Predicted,
  split: Split,
  predictions: PredictionRows,
): Promise<PredictionRows> => {
  const { runId, target } = run
  const names = target.kind === 'regression' ? target.outputs : target.classes
  const metadata = { version: 1 as const, runId, split, kind: target.kind, names: [...names] }
  try {
    const bytes = encodePredictions({ metadata, predictions })
    await store.putIfAbsent(keyOf(runId, split), bytes)
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
