// Owns the training task: the heads of one request on features that are there.
import { openContent } from '../dataset/open-content.js'
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { Events } from '../experiment/events.js'
import { settleQuarantine, type ViewFeatures } from '../experiment/extraction.js'
import {
  createFeatureKeeper,
  type FeatureKeeper,
  type KeptFeatures,
} from '../experiment/feature-keeper.js'
import { openOptionsOf } from '../experiment/load-views.js'
import { createProof, type ProofRequest } from '../experiment/parity-proof.js'
import type { LocatedDataset } from '../experiment/references.js'
import type { CutFeatures } from '../experiment/sweep-types.js'
import { trainSweep } from '../experiment/train-sweep.js'
import type { Workspace } from '../experiment/workspace.js'
import { loadFeatureSet } from '../features/feature-set.js'
import { openFeatures } from '../features/open-features.js'
import type { Sha256 } from '../identity/hash.js'
import { featureSetIdOf } from '../identity/ids.js'
import type { Parity } from '../model/run-record.js'
import { isSweep } from '../model/sweep-record.js'
import type { TrainingPayload } from './jobs.js'
import { keepLast } from './keep-last.js'
import { loadExtractorSpec } from './load-extractor.js'
import type { TrainingTask } from './stage-protocol.js'
import type { StageContext } from './stage-shard.js'
import type { TrainingJobProgress, TrainingJobResult } from './types.js'

/** A proof is for the features as they were opened: trainings that share them share it. */
const createProofs = () => {
  const proofs = new WeakMap<KeptFeatures, ReturnType<typeof createProof>>()
  return (request: ProofRequest): Promise<Parity> => {
    const prove = proofs.get(request.features) ?? createProof()
    proofs.set(request.features, prove)
    return prove(request)
  }
}

/** What stays between trainings: the next one is likely to want the same. */
interface Kept {
  readonly keeper: FeatureKeeper
  readonly prove: (request: ProofRequest) => Promise<Parity>
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
  { keeper, prove }: Kept,
  signal: AbortSignal,
): Promise<CutFeatures[]> => {
  const { store, engines } = workspace
  const found: CutFeatures[] = []
  for (const { cut, pooling, extractorIds } of cuts) {
    const views = await findViews(workspace, opened.dataset, extractorIds)
    const plain = views[0] as ViewFeatures
    const sets = views.map(({ featureSet }) => featureSet)
    found.push({
      cut: { cut, pooling },
      views,
      open: (count) => {
        const wanted = sets.slice(0, count)
        return keeper.open(wanted, async (budgetBytes) => {
          const options = { ...openOptionsOf(workspace), budgetBytes, signal }
          return { features: await openFeatures(store, wanted, options), sets: wanted }
        })
      },
      findOpen: () => keeper.find(sets.slice(0, 1)),
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
  const kept = { keeper: createFeatureKeeper(workspace.memoryBytes), prove: createProofs() }
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
      const cuts = await findCuts(workspace, opened, payload, kept, signal)
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
      // After a failure nothing is taken for granted.
      await kept.keeper.close()
      throw error
    } finally {
      await reader.close()
    }
  }
}
