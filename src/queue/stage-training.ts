// Owns the training task: the heads of one request on features that are there.
import { openContent } from '../dataset/open-content.js'
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { Events } from '../experiment/events.js'
import { settleQuarantine, type ViewFeatures } from '../experiment/extraction.js'
import { createProof } from '../experiment/parity-proof.js'
import { trainHeads } from '../experiment/train-heads.js'
import type { Workspace } from '../experiment/workspace.js'
import { type FeatureBlock, loadFeatureSet, loadFeatures } from '../features/feature-set.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { type Sha256, sha256OfJson } from '../identity/hash.js'
import { featureSetIdOf } from '../identity/ids.js'
import { keepLast } from './keep-last.js'
import { loadExtractorSpec } from './load-extractor.js'
import type { TrainingTask } from './stage-protocol.js'
import type { StageContext } from './stage-shard.js'
import type { TrainingJobProgress, TrainingJobResult } from './types.js'

interface LoadedViews {
  readonly name: string
  readonly views: readonly ViewFeatures[]
  readonly blocks: readonly FeatureBlock[]
  /** The proof is for the features as they were loaded: trainings that share them share it. */
  readonly proof: ReturnType<typeof createProof>
}

/** Features that were loaded last stay: the next training is likely to want the same. */
const createFeatureKeeper = ({ store }: Workspace) => {
  const load = keepLast((id) => loadDataset(store, id))
  let last: LoadedViews | undefined

  const findViews = async (dataset: Dataset, extractorIds: readonly Sha256[]) => {
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

  return {
    /** After a failure nothing is taken for granted. */
    drop: (): void => {
      last = undefined
    },
    load: async ({ datasetId, extractorIds }: TrainingTask['payload']) => {
      const dataset = await load(datasetId)
      const views = await findViews(dataset, extractorIds)
      // The bytes, not only the ids: features may have been extracted anew since.
      const name = sha256OfJson(views.map(({ featureSet }) => ({ ...featureSet })) as JsonValue)
      if (last?.name === name) return { dataset, ...last }
      // Before the next features are read: two of them may not fit.
      last = undefined
      const blocks: FeatureBlock[] = []
      for (const { featureSet } of views) blocks.push(await loadFeatures(store, featureSet))
      last = { name, views, blocks, proof: createProof() }
      return { dataset, ...last }
    },
  }
}

/** @returns the function that runs training tasks, one at a time. */
export const createTrainingStage = (workspace: Workspace, onNotice: (message: string) => void) => {
  const features = createFeatureKeeper(workspace)
  return async (
    { payload }: TrainingTask,
    { signal, onProgress }: StageContext<TrainingJobProgress>,
  ): Promise<TrainingJobResult> => {
    const started = performance.now()
    const { store, objects } = workspace
    const { dataset, views, blocks, proof } = await features.load(payload)
    const { heads, maxQuarantine, content } = payload
    const reader = await openContent({ store, objects, dataset, from: content })
    const opened = { dataset, reader, location: content }
    const events: Events = {
      onNotice,
      onEpoch: ({ epoch, train, validation }, head, total, epochs) =>
        onProgress({
          kind: 'training',
          phase: 'training',
          head,
          heads: total,
          epoch,
          epochs,
          loss: train.loss,
          score: (validation ?? train).score,
        }),
    }
    try {
      const [plain] = views
      const [block] = blocks
      if (plain === undefined || block === undefined) throw new RangeError('there is no view')
      for (const { featureSet } of views)
        settleQuarantine(featureSet, { opened, maxQuarantine, events })
      const { runs, best } = await trainHeads({
        workspace,
        opened,
        views,
        blocks,
        heads,
        seed: payload.seed,
        name: payload.name,
        base: payload.base,
        proveParity: () =>
          proof({ store, engines: workspace.engines, opened, plain, features: block, signal }),
        signal,
        events,
      })
      return {
        kind: 'training',
        runs: runs.map(({ run, trained }) => ({ id: run.runId, trained })),
        best: best.runId,
        seconds: (performance.now() - started) / 1000,
      }
    } catch (error) {
      features.drop()
      throw error
    } finally {
      await reader.close()
    }
  }
}
