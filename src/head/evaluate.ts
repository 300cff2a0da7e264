// Owns measuring a published head on a split: what is measured is what is served.
import type { Split } from '../dataset/types.js'
import { assertNotAborted } from '../errors.js'
import { plainBatches, rowsOfSplit } from './batches.js'
import { metricsOf } from './metrics.js'
import type { HeadPredictor } from './predict-head.js'
import type { SplitMetrics, TrainingData } from './types.js'
import { yieldToLoop } from './yield-to-loop.js'

const ROWS_A_BATCH = 256

/**
 * Predictions for some rows of view 0, [rows.length, outputs], yielding to the event loop.
 *
 * @param predict [n, width] to [n, outputs]; its argument is valid during the call only.
 */
export const predictRows = async (request: {
  readonly data: TrainingData
  readonly rows: Uint32Array
  readonly outputs: number
  readonly predict: (features: Float32Array, rows: number) => Float32Array
  readonly signal?: AbortSignal | undefined
  /** Rows of one call of `predict`. */
  readonly batchRows?: number
}): Promise<Float32Array> => {
  const { data, rows, outputs, predict, signal, batchRows = ROWS_A_BATCH } = request
  const result = new Float32Array(rows.length * outputs)
  const pause = yieldToLoop()
  let done = 0
  for await (const { features, count } of plainBatches(data.features, rows, batchRows)) {
    assertNotAborted(signal)
    result.set(predict(features, count), done * outputs)
    done += count
    await pause()
  }
  return result
}

/** Metrics of a head on one split; undefined where the split has no sample. */
export const evaluateHead = async (
  predictor: HeadPredictor,
  data: TrainingData,
  split: Split,
  signal?: AbortSignal,
): Promise<SplitMetrics | undefined> => {
  const rows = rowsOfSplit(data.splits, split)
  if (rows.length === 0) return undefined
  const { outputs, predict } = predictor
  const predictions = await predictRows({ data, rows, outputs, predict, signal })
  const labels = Array.from(rows, (row) => data.labels[row] as readonly number[])
  return metricsOf(data.target, predictions, labels)
}
