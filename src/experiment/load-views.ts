// Owns opening the features of all views of an extractor for training, and repair: a shard that turns
// out to be damaged is computed again.
import { isHeadstartError } from '../errors.js'
import { type OpenFeatures, openFeatures } from '../features/open-features.js'
import { type ExtractViewsRequest, extractViews, type ViewFeatures } from './extraction.js'
import type { Workspace } from './workspace.js'

/** How features of this installation are opened. */
export const openOptionsOf = ({
  objectCacheDir,
  memoryBytes,
}: Pick<Workspace, 'objectCacheDir' | 'memoryBytes'>) => ({
  cacheDir: objectCacheDir,
  budgetBytes: memoryBytes,
})

/**
 * The features of every view. Close them.
 *
 * @param extracted the views of one cut, view 0 first, as `request.specs` names them.
 * @returns the features, and the extraction results with the repairs counted in.
 * @throws FEATURES_TOO_LARGE, INTERRUPTED, and the errors of extractViews.
 */
export const loadViews = async (
  request: ExtractViewsRequest,
  extracted: readonly ViewFeatures[],
  workspace: Pick<Workspace, 'objectCacheDir' | 'memoryBytes'>,
): Promise<{ features: OpenFeatures; results: readonly ViewFeatures[] }> => {
  const { store, specs, opened, signal } = request
  const total = opened.dataset.samples.length
  let results = extracted
  for (let repairs = 0; ; repairs += 1) {
    try {
      const sets = results.map(({ featureSet }) => featureSet)
      const features = await openFeatures(store, sets, { ...openOptionsOf(workspace), signal })
      return { features, results }
    } catch (error) {
      // One repair looks at all shards of its view, so each view is repaired once at most.
      if (!isHeadstartError(error, 'FEATURES_CORRUPT') || repairs === specs.length) throw error
      const before = results
      const repaired = await extractViews({ ...request, damaged: error.details })
      results = repaired.map((view, i) => {
        const computed = view.computed + (before[i]?.computed ?? 0)
        return { ...view, computed, reused: total - computed }
      })
    }
  }
}
