// Owns stage 1 by itself: the features of a dataset, without a head.
import type { Events } from './events.js'
import { extractViews, resolveCuts } from './extraction.js'
import { resolveBase, resolveDataset } from './references.js'
import type { ExtractionRequest } from './schema.js'
import type { Workspace } from './workspace.js'

export interface ExtractOnlyResult {
  /** One a cut and view: all views of the first cut, view 0 first, then those of the next. */
  readonly featureSets: readonly {
    readonly id: string
    readonly extractorId: string
    readonly samples: number
    readonly computed: number
    readonly reused: number
    readonly quarantined: readonly { readonly name: string; readonly reason: string }[]
  }[]
  readonly seconds: number
}

/** @throws the errors of runExperiment that concern bases, datasets and extraction. */
export const extractOnly = async (request: {
  readonly workspace: Workspace
  readonly extraction: ExtractionRequest
  readonly folder: string
  readonly signal?: AbortSignal | undefined
  readonly events?: Events
}): Promise<ExtractOnlyResult> => {
  const { workspace, extraction, folder, signal, events = {} } = request
  const { store, engines } = workspace
  const started = performance.now()
  const opened = await resolveDataset(store, {
    spec: extraction.dataset,
    split: extraction.split,
    folder,
    hashCacheDir: workspace.hashCacheDir,
    objects: workspace.objects,
    signal,
    onProgress: events.onIndex,
  })
  try {
    for (const note of opened.dataset.notes) events.onNotice?.(note)
    const base = await resolveBase(workspace, extraction.base.from, folder, signal)
    const context = { store, settings: engines, signal }
    const cuts = await resolveCuts(extraction, base, opened, events, context)
    const specs = cuts.flatMap((one) => one.specs)
    const { maxQuarantine } = extraction
    // Nothing else reads a local store's shards after this; an S3 service looks after its own bytes.
    const deep = store.url.startsWith('file:')
    const views = await extractViews({
      store,
      engines,
      specs,
      opened,
      maxQuarantine,
      deep,
      signal,
      events,
    })
    return {
      featureSets: views.map(({ featureSet, computed, reused }) => ({
        id: featureSet.featureSetId,
        extractorId: featureSet.extractorId,
        samples: opened.dataset.samples.length,
        computed,
        reused,
        quarantined: featureSet.quarantine.map(({ key, reason }) => ({
          name: opened.reader.nameOf(key),
          reason,
        })),
      })),
      seconds: (performance.now() - started) / 1000,
    }
  } finally {
    await opened.reader.close()
  }
}
