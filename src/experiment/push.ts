// Owns pushing a registered dataset: from where its names say that the content lies, to the store.
import { openContent } from '../dataset/open-content.js'
import { type PushResult, pushSamples } from '../dataset/push.js'
import { loadDataset } from '../dataset/save.js'
import { HeadstartError, isHeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { Events } from './events.js'
import type { Workspace } from './workspace.js'

export interface PushedDataset extends PushResult {
  readonly datasetId: Sha256
  readonly contentId: Sha256
}

/**
 * Uploads the content of a dataset to the store, so that any machine of the store can read it. What
 * is there already is not uploaded again.
 *
 * @param request.from absolute paths or `s3://` addresses where the content may lie, tried in turn.
 * @throws NOT_FOUND; DATASET_CHANGED naming what cannot be read any more, after everything else was
 *   pushed; DATASET_UNREACHABLE when something is missing and the content is not on this machine.
 */
export const pushDataset = async (request: {
  readonly workspace: Pick<Workspace, 'store' | 'objects'>
  readonly datasetId: Sha256
  readonly from: readonly string[]
  readonly signal?: AbortSignal | undefined
  readonly events?: Events | undefined
}): Promise<PushedDataset> => {
  const { workspace, datasetId, from, signal, events } = request
  const { store, objects } = workspace
  const dataset = await loadDataset(store, datasetId)
  const open = async () => {
    let failure: unknown = new HeadstartError(
      'DATASET_UNREACHABLE',
      `no name says where the content of the dataset ${datasetId} lies`,
    )
    for (const place of from) {
      try {
        return await openContent({ store, objects, dataset, from: place })
      } catch (error) {
        if (!isHeadstartError(error, 'DATASET_UNREACHABLE')) throw error
        failure = error
      }
    }
    throw failure
  }
  const result = await pushSamples({ store, dataset, open, signal, onProgress: events?.onPush })
  return { datasetId, contentId: dataset.contentId, ...result }
}
