// Owns one run: train a head, pass the parity gate, publish. An identical request returns the run
// that exists. Nothing is published that did not pass.
import { join } from 'node:path'
import { saveDataset } from '../dataset/save.js'
import type { OpenDataset } from '../dataset/types.js'
import { extractorIdOfSpec } from '../extractor/spec.js'
import { fileCheckpoint } from '../head/checkpoint-file.js'
import { openHead } from '../head/predict-head.js'
import type { HeadSpec } from '../head/spec.js'
import { trainHead } from '../head/train.js'
import type { TrainedHead, TrainingData } from '../head/types.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { runKeyOf } from '../identity/ids.js'
import { loadRun, type Parity, publishRun, type RunRecord, saveHead } from '../model/run-record.js'
import { VERSION } from '../version.js'
import type { Events } from './events.js'
import type { ViewFeatures } from './extraction.js'
import type { Workspace } from './workspace.js'

export interface RunRequest {
  readonly workspace: Workspace
  readonly opened: OpenDataset
  readonly views: readonly ViewFeatures[]
  readonly data: TrainingData
  readonly head: HeadSpec
  readonly seed: number
  /** What the user called the base, and where the dataset lies; no part of any id. */
  readonly from: { readonly base: string; readonly dataset: string }
  /** Proves once for all heads of an experiment that serving computes these features. */
  readonly proveParity: () => Promise<Parity>
  readonly signal?: AbortSignal | undefined
  readonly events: Events
  /** Counts from 0; for progress. */
  readonly position: { readonly head: number; readonly heads: number }
}

export interface RunResult {
  readonly run: RunRecord
  /** False when an identical run existed. */
  readonly trained: boolean
}

const countSplits = (data: TrainingData) => {
  const counts = { train: 0, validation: 0, test: 0 }
  for (const split of data.splits) counts[split] += 1
  return counts
}

const describeRun = (
  request: RunRequest,
  runId: string,
  trained: TrainedHead,
  facts: Pick<RunRecord, 'parity' | 'artifacts' | 'seconds'>,
): RunRecord => {
  const { views, opened, from } = request
  const [plain] = views
  if (plain === undefined) throw new RangeError('a run needs the plain view')
  const { datasetId, contentId, target } = opened.dataset
  return {
    version: 1,
    runId,
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
      samples: countSplits(request.data),
      quarantined: opened.dataset.samples.length - request.data.rows,
    },
    target: JSON.parse(JSON.stringify(target)) as RunRecord['target'],
    head: request.head as RunRecord['head'],
    seed: request.seed,
    metrics: JSON.parse(JSON.stringify(trained.metrics)) as RunRecord['metrics'],
    history: trained.history.map((epoch) => ({ ...epoch })),
    bestEpoch: trained.bestEpoch,
    stoppedEarly: trained.stoppedEarly,
    versions: { headstart: VERSION, node: process.version },
    ...facts,
  }
}

/**
 * @throws HEAD_INVALID, HEAD_DIVERGED, PARITY_FAILED, INTERRUPTED (the next call goes on).
 */
export const trainRun = async (request: RunRequest): Promise<RunResult> => {
  const { workspace, views, opened, data, head, seed, position, events } = request
  const runId = runKeyOf({
    featureSetIds: views.map(({ featureSet }) => featureSet.featureSetId),
    datasetId: opened.dataset.datasetId,
    head: head as JsonValue,
    seed,
  })
  const existing = await loadRun(workspace.store, runId)
  const checkpoint = fileCheckpoint(join(workspace.checkpointDir, runId))
  if (existing !== null) {
    // One that was killed between publishing and clearing.
    await checkpoint.clear()
    return { run: existing, trained: false }
  }

  const started = performance.now()
  const trained = await trainHead({
    data,
    spec: head,
    seed,
    checkpoint,
    signal: request.signal,
    onNotice: events.onNotice,
    onEpoch: (epoch) => events.onEpoch?.(epoch, position.head, position.heads, head.epochs),
  })
  const seconds = { train: (performance.now() - started) / 1000 }
  // The head must open as it will be served before anything of it is written.
  const predictor = await openHead(trained.artifacts)
  predictor.close()
  const parity = await request.proveParity()
  const artifacts = await saveHead(workspace.store, runId, trained.artifacts)
  // Again: garbage collection may have taken a dataset that nothing referred to so far.
  await saveDataset(workspace.store, opened.dataset)
  const run = describeRun(request, runId, trained, { parity, artifacts, seconds })
  const published = await publishRun(workspace.store, run)
  await checkpoint.clear()
  return { run: published, trained: true }
}
