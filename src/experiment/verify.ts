// Owns proving a published run again: its features are computed anew and compared.
import { openContent } from '../dataset/open-content.js'
import { loadDataset } from '../dataset/save.js'
import { HeadstartError } from '../errors.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { loadFeatureSet } from '../features/feature-set.js'
import { openFeatures } from '../features/open-features.js'
import { openModel } from '../model/open-model.js'
import { checkParity } from '../model/parity.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import type { OpenObjects } from '../store/object-source.js'
import type { Store } from '../store/port.js'

export interface VerifyRequest {
  readonly store: Store
  readonly engines?: EngineSettings | undefined
  /** Opens buckets for `s3://` sources: `workspace.objects`. */
  readonly objects: OpenObjects
  readonly run: RunRecord
  /** Where the content of the dataset lies, a path or an `s3://` address: `run.dataset.from`. */
  readonly content: string
  readonly samples: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs the parity gate on a published run.
 *
 * @throws PARITY_FAILED, FEATURES_CORRUPT, NOT_FOUND when the features are gone,
 *   DATASET_UNREACHABLE when the content is.
 */
export const verifyRun = async (request: VerifyRequest): Promise<Parity> => {
  const { store, run, samples, signal } = request
  const id = run.extractors[0]?.featureSetId ?? ''
  const featureSet = await loadFeatureSet(store, id)
  if (featureSet === null)
    throw new HeadstartError('NOT_FOUND', `the feature set ${id} of the run was removed`)
  const dataset = await loadDataset(store, run.dataset.datasetId)
  const { objects, content: from } = request
  const features = await openFeatures(store, [featureSet], { signal })
  try {
    const reader = await openContent({ store, objects, dataset, from })
    try {
      const model = await openModel(store, run, { settings: request.engines })
      try {
        const { extractor } = model
        return await checkParity({ extractor, features, dataset, reader, samples, signal })
      } finally {
        await model.close()
      }
    } finally {
      await reader.close()
    }
  } finally {
    await features.close()
  }
}
