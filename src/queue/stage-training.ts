// Owns the training task: the heads of one request on features that are there.
import { openContent } from '../dataset/open-content.js'
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { Events } from '../experiment/events.js'
import { settleQuarantine, type ViewFeatures } from '../experiment/extraction.js'
import { openOptionsOf } from '../experiment/load-views.js'
import { createProof } from '../experiment/parity-proof.js'
import type { LocatedDataset } from '../experiment/references.js'
import type { CutFeatures } from '../experiment/sweep-types.js'
import { trainSweep } from '../experiment/train-sweep.js'
import type { Workspace } from '../experiment/workspace.js'
import { loadFeatureSet } from '../features/feature-set.js'
import { type OpenFeatures, openFeatures } from '../features/open-features.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { type Sha256, sha256OfJson } from '../identity/hash.js'
import { featureSetIdOf } from '../identity/ids.js'
import { isSweep } from '../model/sweep-record.js'
import type { TrainingPayload } from './jobs.js'
import { keepLast } from './keep-last.js'
import { loadExtractorSpec } from './load-extractor.js'
import type { TrainingTask } from './stage-protocol.js'
import type { StageContext } from './stage-shard.js'
import type { TrainingJobProgress, TrainingJobResult } from './types.js'

interface KeptFeatures {
  readonly name: string
  readonly features: OpenFeatures
  /** The proof is for the features as they were opened: trainings that share them share it. */
  readonly prove: ReturnType<typeof createProof>
}

/** Features that were opened last stay: the next training is likely to want the same. */
const createFeatureKeeper = (workspace: Workspace) => {
  let last: KeptFeatures | undefined
  const drop = async (): Promise<void> => {
    const dropped = last
    last = undefined
    await dropped?.features.close()
  }
  return {
    /** After a failure nothing is taken for granted. */
    drop,
    open: async (
      views: readonly ViewFeatures[],
      signal: AbortSignal | undefined,
    ): Promise<KeptFeatures> => {
      const sets = views.map(({ featureSet }) => featureSet)
      // The bytes, not only the ids: features may have been extracted anew since.
      const name = sha256OfJson(sets.map((set) => ({ ...set })) as JsonValue)
      if (last?.name === name) return last
      // Before the next features are read: two of them may not fit.
      await drop()
      const options = { ...openOptionsOf(workspace), signal }
      const features = await openFeatures(workspace.store, sets, options)
      last = { name, features, prove: createProof() }
      return last
    },
  }
}

/** @throws FEATURES_CORRUPT when a certificate is gone. */
const findViews = async (
  { store }: Workspace,
  dataset: Dataset,
  extractorIds: readonly Sha256[],
): Promise<ViewFeatures[]> => {
  const views: ViewFeatures[] = []
  for (const extractorId of extractorIds) {
    const spec = await loadExtractorSpec(store, extractorId)
    const id = featureSetIdOf(extractorId, dataset.contentId)
    const featureSet = await loadFeatureSet(store, id)
    if (featureSet === null)
      throw new HeadstartError('FEATURES_CORRUPT', `the feature set ${id} is gone`)
    views.push({ spec, featureSet, computed: 0, reused: dataset.samples.length })
  }
  return views
}

const findCuts = async (
  workspace: Workspace,
  opened: LocatedDataset,
  { cuts }: TrainingPayload,
  keeper: ReturnType<typeof createFeatureKeeper>,
  signal: AbortSignal,
): Promise<CutFeatures[]> => {
  const { store, engines } = workspace
  const found: CutFeatures[] = []
  for (const { cut, pooling, extractorIds } of cuts) {
    const views = await findViews(workspace, opened.dataset, extractorIds)
    const plain = views[0] as ViewFeatures
    let prove = createProof()
    found.push({
      cut: { cut, pooling },
      views,
      open: async (count) => {
        const kept = await keeper.open(views.slice(0, count), signal)
        prove = kept.prove
        return { ...kept.features, close: async () => undefined }
      },
      proveParity: (features) => prove({ store, engines, opened, plain, features, signal }),
    })
  }
  return found
}

const eventsOf = (
  onNotice: (message: string) => void,
  onProgress: (progress: TrainingJobProgress) => void,
): Events => ({
  onNotice,
  onEpoch: ({ train, validation }, { head, heads, done, epochs }) =>
    onProgress({
      kind: 'training',
      phase: 'training',
      head,
      heads,
      epoch: done,
      epochs,
      loss: train.loss,
      score: (validation ?? train).score,
    }),
})

/** @returns the function that runs training tasks, one at a time. */
export const createTrainingStage = (workspace: Workspace, onNotice: (message: string) => void) => {
  const { store, objects } = workspace
  const keeper = createFeatureKeeper(workspace)
  const load = keepLast((id) => loadDataset(store, id))
  return async (
    { payload }: TrainingTask,
    { signal, onProgress }: StageContext<TrainingJobProgress>,
  ): Promise<TrainingJobResult> => {
    const started = performance.now()
    const { datasetId, maxQuarantine, content, candidates, select, folds, halving } = payload
    const dataset = await load(datasetId)
    const reader = await openContent({ store, objects, dataset, from: content })
    const opened = { dataset, reader, location: content }
    const events = eventsOf(onNotice, onProgress)
    try {
      const cuts = await findCuts(workspace, opened, payload, keeper, signal)
      for (const { featureSet } of cuts.flatMap(({ views }) => views))
        settleQuarantine(featureSet, { opened, maxQuarantine, events })
      const { sweep, runs, best } = await trainSweep({
        workspace,
        opened,
        cuts,
        plan: { candidates, folds, halving },
        selection: select,
        seed: payload.seed,
        name: payload.name,
        base: payload.base,
        signal,
        events,
      })
      return {
        kind: 'training',
        sweep: isSweep(sweep) ? sweep.sweepId : null,
        runs: runs.map(({ run, trained }) => ({ id: run.runId, trained })),
        best: best.runId,
        seconds: (performance.now() - started) / 1000,
      }
    } catch (error) {
      await keeper.drop()
      throw error
    } finally {
      await reader.close()
    }
  }
}
