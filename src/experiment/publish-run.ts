// Owns publishing one trained head as a run: its files, its record, and later the metrics of its test split.

import { saveDataset } from '../dataset/save.js'
import type { OpenDataset } from '../dataset/types.js'
import { extractorIdOfSpec } from '../extractor/spec.js'
import { openHead } from '../head/predict-head.js'
import type { HeadSpec } from '../head/spec.js'
import type { TrainedHead, TrainingData } from '../head/types.js'
import { type Parity, publishRun, type RunRecord, saveHead } from '../model/run-record.js'
import type { Store } from '../store/port.js'
import { VERSION } from '../version.js'
import type { ViewFeatures } from './extraction.js'

export interface PublishRequest {
  readonly store: Store
  readonly opened: OpenDataset
  /** The views that were trained on, view 0 first. */
  readonly views: readonly ViewFeatures[]
  readonly data: Pick<TrainingData, 'rows' | 'splits'>
  readonly head: HeadSpec
  readonly seed: number
  /** What the user called the base, and where the dataset lies; no part of any id. */
  readonly from: { readonly base: string; readonly dataset: string }
  readonly runId: string
  readonly trained: TrainedHead
  readonly parity: Parity
  /** Of the training that this head was trained in. */
  readonly seconds: number
}

const countSplits = ({ splits }: Pick<TrainingData, 'splits'>) => {
  const counts = { train: 0, validation: 0, test: 0 }
  for (const split of splits) counts[split] += 1
  return counts
}

const describeRun = (request: PublishRequest, artifacts: RunRecord['artifacts']): RunRecord => {
  const { views, opened, from, trained, data } = request
  const [plain] = views
  if (plain === undefined) throw new RangeError('a run needs the plain view')
  const { datasetId, contentId, target } = opened.dataset
  return {
    version: 1,
    runId: request.runId,
    createdAt: new Date().toISOString(),
    base: { id: plain.spec.base.id, from: from.base },
    extractors: views.map(({ spec, featureSet }) => ({
      extractorId: extractorIdOfSpec(spec),
      featureSetId: featureSet.featureSetId,
      view: spec.view,
    })),
    extractor: plain.spec,
    dataset: {
      datasetId,
      contentId,
      from: from.dataset,
      samples: countSplits(data),
      quarantined: opened.dataset.samples.length - data.rows,
    },
    target: JSON.parse(JSON.stringify(target)) as RunRecord['target'],
    head: request.head as RunRecord['head'],
    seed: request.seed,
    metrics: JSON.parse(JSON.stringify(trained.metrics)) as RunRecord['metrics'],
    history: trained.history.map((epoch) => ({ ...epoch })),
    bestEpoch: trained.bestEpoch,
    stoppedEarly: trained.stoppedEarly,
    batchNormalization: trained.batchNormalization,
    parity: request.parity,
    versions: { headstart: VERSION, node: process.version },
    seconds: { train: request.seconds },
    artifacts,
  }
}

/** @returns the run, or the one that somebody else published meanwhile. @throws STORE_CORRUPT. */
export const publishTrained = async (request: PublishRequest): Promise<RunRecord> => {
  const { store, runId, trained, opened } = request
  // The head must open as it will be served before anything of it is written.
  const predictor = await openHead(trained.artifacts)
  predictor.close()
  const artifacts = await saveHead(store, runId, trained.artifacts)
  // Again: garbage collection may have taken a dataset that nothing referred to so far.
  await saveDataset(store, opened.dataset)
  return publishRun(store, describeRun(request, artifacts))
}
