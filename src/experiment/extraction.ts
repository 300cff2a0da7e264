// Owns stage 1 for an experiment: the specs of all views, their feature sets, and repair of damaged
// shards. Knows no head.
import { totalmem } from 'node:os'
import type { OpenDataset } from '../dataset/types.js'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { type ExtractionResult, extract } from '../extract/run.js'
import type { BaseRecord } from '../extractor/base/load.js'
import { loadBaseFor } from '../extractor/base/load-for.js'
import type { LoadedBase } from '../extractor/base/loaded-base.js'
import { chooseEngine, type EngineContext } from '../extractor/choose-engine.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { type Extractor, openExtractor } from '../extractor/extractor.js'
import { findCut, resolveExtractorSpec } from '../extractor/resolve.js'
import { type ExtractorSpec, extractorIdOfSpec, type View } from '../extractor/spec.js'
import { type FeatureBlock, type FeatureSet, loadFeatures } from '../features/feature-set.js'
import { widthOf } from '../features/shard.js'
import { shardPrefix } from '../features/shard-name.js'
import type { Store } from '../store/port.js'
import type { Events } from './events.js'
import type { Experiment } from './schema.js'

/** What stage 1 takes of an experiment. */
export type ExtractionPlan = Pick<
  Experiment,
  'base' | 'preprocess' | 'engine' | 'precision' | 'views' | 'augment' | 'maxQuarantine'
>

const viewsOf = ({ views, augment }: ExtractionPlan): View[] =>
  Array.from({ length: views }, (_, index): View => {
    if (index === 0) return { kind: 'plain' }
    const { seed, flip, crop, brightness, contrast, saturation } = augment
    return { kind: 'augmented', index, seed, flip, crop, brightness, contrast, saturation }
  })

/**
 * The complete specs of all views, view 0 first.
 *
 * @throws CUT_NOT_FOUND, CUT_UNUSABLE, EXTRACTOR_INPUT_MISMATCH, ENGINE_UNAVAILABLE, BASE_NOT_COMPILED.
 */
export const resolveViews = async (
  plan: ExtractionPlan,
  base: BaseRecord,
  { dataset }: OpenDataset,
  events: Events,
  context: EngineContext,
): Promise<ExtractorSpec[]> => {
  const { cut, pooling } = plan.base
  findCut(base, cut)
  const { precision } = plan
  const { engine, reason } = await chooseEngine(
    { engine: plan.engine, precision, base, cut },
    context,
  )
  if (reason !== null) events.onNotice?.(`engine: ${engine.name} (${reason})`)
  if (plan.views > 1 && dataset.content.kind !== 'image')
    throw new HeadstartError('REQUEST_INVALID', 'views need images; this dataset holds tensors')
  const { preprocess } = plan
  const { content } = dataset
  return viewsOf(plan).map((view) =>
    resolveExtractorSpec({ base, cut, pooling, preprocess, content, view, engine }),
  )
}

/** Of the machine's memory; the rest is for the engine, the head and everybody else. */
const MEMORY_SHARE = 0.7

/**
 * Training reads the features of all views into memory, so say before the extraction when they will
 * not fit.
 *
 * @throws FEATURES_TOO_LARGE.
 */
export const assertFeaturesFit = (specs: readonly ExtractorSpec[], samples: number): void => {
  const needed = specs.reduce((sum, spec) => sum + 4 * samples * widthOf(spec.featureShape), 0)
  const allowed = MEMORY_SHARE * totalmem()
  if (needed <= allowed) return
  const [shown, limit] = [needed, allowed].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`)
  const shape = specs[0]?.featureShape.join(', ')
  throw new HeadstartError(
    'FEATURES_TOO_LARGE',
    `${samples} features of [${shape}] in ${specs.length} view(s) take ${shown}; ${limit} may be used`,
  )
}

export interface ViewFeatures extends ExtractionResult {
  readonly spec: ExtractorSpec
}

export interface ExtractViewsRequest {
  readonly store: Store
  readonly engines: EngineSettings
  readonly specs: readonly ExtractorSpec[]
  readonly opened: OpenDataset
  readonly maxQuarantine: number
  readonly damaged?: readonly string[]
  /** Read shards that are there already and check their hashes. */
  readonly deep?: boolean
  readonly signal?: AbortSignal | undefined
  readonly events: Events
}

const SHOWN_QUARANTINED = 20

/**
 * Says which samples are left out, and refuses to go on with too many.
 *
 * @throws DATASET_QUARANTINE_EXCEEDED.
 */
export const settleQuarantine = (
  featureSet: FeatureSet,
  {
    opened,
    maxQuarantine,
    events,
  }: Pick<ExtractViewsRequest, 'opened' | 'maxQuarantine' | 'events'>,
): void => {
  const { quarantine } = featureSet
  const total = opened.dataset.samples.length
  const shown = quarantine
    .slice(0, SHOWN_QUARANTINED)
    .map(({ key, reason }) => `${opened.reader.nameOf(key)}: ${reason}`)
  if (quarantine.length > maxQuarantine * total)
    throw new HeadstartError(
      'DATASET_QUARANTINE_EXCEEDED',
      `${quarantine.length} of ${total} samples are in quarantine; maxQuarantine allows ${(100 * maxQuarantine).toFixed(1)} %`,
      { details: shown },
    )
  for (const line of shown) events.onNotice?.(`quarantined ${line}`)
  const more = quarantine.length - shown.length
  if (more > 0) events.onNotice?.(`quarantined ${more} more`)
}

/** Loads the base once, when the first view needs it. */
export const createExtractorOpener = (store: Store, settings: EngineSettings) => {
  let base: Promise<LoadedBase> | undefined
  return async (spec: ExtractorSpec): Promise<Extractor> => {
    base ??= loadBaseFor(store, spec)
    return openExtractor(spec, await base, { settings })
  }
}

/**
 * Makes sure that the features of every view are there.
 *
 * @throws DATASET_QUARANTINE_EXCEEDED and the errors of extract; what was computed is kept.
 */
export const extractViews = async (request: ExtractViewsRequest): Promise<ViewFeatures[]> => {
  const { store, engines, specs, opened, events, signal, damaged = [], deep = false } = request
  const open = createExtractorOpener(store, engines)
  const results: ViewFeatures[] = []
  for (const [index, spec] of specs.entries()) {
    const result = await extract({
      store,
      spec,
      keys: opened.dataset.samples.map(({ key }) => key),
      openExtractor: () => open(spec),
      readSample: (key) => opened.reader.read(key),
      nameOf: (key) => opened.reader.nameOf(key),
      deep,
      damaged: damaged.filter((key) => key.startsWith(shardPrefix(extractorIdOfSpec(spec)))),
      onProgress: (progress) => events.onExtract?.(progress, index, specs.length),
      ...(signal === undefined ? {} : { signal }),
      ...(events.onNotice === undefined ? {} : { onNotice: events.onNotice }),
    })
    settleQuarantine(result.featureSet, request)
    results.push({ ...result, spec })
  }
  return results
}

/**
 * The features of every view, in memory. A damaged shard is computed again.
 *
 * @returns the blocks, and the extraction results with the repairs counted in.
 */
export const loadViews = async (
  request: ExtractViewsRequest,
  extracted: readonly ViewFeatures[],
): Promise<{ blocks: FeatureBlock[]; results: readonly ViewFeatures[] }> => {
  const { store, specs, opened } = request
  const total = opened.dataset.samples.length
  let results = extracted
  for (let repairs = 0; ; repairs += 1) {
    try {
      const blocks: FeatureBlock[] = []
      for (const { featureSet } of results) blocks.push(await loadFeatures(store, featureSet))
      return { blocks, results }
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
