// Owns a model ready to predict: the one Extractor and a published head. Knows no dataset.
import { loadBaseFor } from '../extractor/base/load-for.js'
import {
  type Extractor,
  type ExtractorOptions,
  openExtractor,
  type Row,
  type SampleContent,
} from '../extractor/extractor.js'
import { type HeadPredictor, openHead } from '../head/predict-head.js'
import type { Store } from '../store/port.js'
import { loadHead, type RunRecord } from './run-record.js'

/** Outputs of the head for one sample, or why there are none. */
export type Prediction =
  | { readonly ok: true; readonly outputs: Float32Array }
  | { readonly ok: false; readonly reason: string }

export interface Model {
  readonly run: RunRecord
  readonly extractor: Extractor
  /** One prediction for each row of the extractor, in order. */
  predictRows(rows: readonly Row[]): Prediction[]
  /** One prediction for each sample, in order. */
  predict(samples: readonly SampleContent[]): Promise<Prediction[]>
  close(): Promise<void>
}

/** Predictions from rows: the only way from features to outputs. */
const predictRows = (head: HeadPredictor, rows: readonly Row[]): Prediction[] =>
  rows.map((row) =>
    row.ok
      ? { ok: true, outputs: head.predict(row.features, 1) }
      : { ok: false, reason: row.reason },
  )

/** The extractor of a run. Should it not open, the head is closed: the caller never gets to see it. */
const openBeside = async (
  head: HeadPredictor,
  store: Store,
  run: RunRecord,
  options: ExtractorOptions,
): Promise<Extractor> => {
  try {
    return openExtractor(run.extractor, await loadBaseFor(store, run.extractor), options)
  } catch (error) {
    head.close()
    throw error
  }
}

/** Opens a published run. Close it. */
export const openModel = async (
  store: Store,
  run: RunRecord,
  options: ExtractorOptions = {},
): Promise<Model> => {
  const head = await openHead(await loadHead(store, run))
  const extractor = await openBeside(head, store, run, options)
  return {
    run,
    extractor,
    predictRows: (rows) => predictRows(head, rows),
    predict: async (samples) => predictRows(head, await extractor.rows(samples)),
    close: async () => {
      head.close()
      await extractor.close()
    },
  }
}
