// Owns stage 1 for an experiment: the specs of all cuts and views and their feature sets. Knows no head.
import type { OpenDataset } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import { type ExtractionResult, extract } from '../extract/run.js'
import type { BaseRecord } from '../extractor/base/load.js'
import { loadBaseFor } from '../extractor/base/load-for.js'
import type { LoadedBase } from '../extractor/base/loaded-base.js'
import { chooseEngine, type EngineContext } from '../extractor/choose-engine.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import { type Extractor, openExtractor, openPass } from '../extractor/extractor.js'
import { groupByPass } from '../extractor/passes.js'
import { findCut, resolveExtractorSpec } from '../extractor/resolve.js'
import { type ExtractorSpec, extractorIdOfSpec, type View } from '../extractor/spec.js'
import type { FeatureSet } from '../features/feature-set.js'
import { shardPrefix } from '../features/shard-name.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import type { Cut } from './base-schema.js'
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

/** One cut of an experiment and its extractors. */
export interface CutViews {
  /** As it was resolved: a pooling without effect is `none`. */
  readonly cut: Cut
  /** Which of the request's cuts it is: several where a pooling has no effect. */
  readonly asked: readonly number[]
  /** One a view, view 0 first. */
  readonly specs: readonly ExtractorSpec[]
}

/** @throws CUT_NOT_FOUND. Looks at names only, so that a wrong one is told before anything is hashed. */
export const assertCutsExist = (base: BaseRecord, { cuts }: ExtractionPlan['base']): void => {
  for (const { cut } of cuts) findCut(base, cut)
}

/**
 * The complete specs of all cuts, in the order of the request. Each cut gets the engine that it would
 * get alone, so that its features are those of every other experiment. Cuts that come to the same
 * extractor (two poolings of a flat layer) are one.
 *
 * @throws CUT_NOT_FOUND, CUT_UNUSABLE, EXTRACTOR_INPUT_MISMATCH, ENGINE_UNAVAILABLE, BASE_NOT_COMPILED.
 */
export const resolveCuts = async (
  plan: ExtractionPlan,
  base: BaseRecord,
  { dataset }: OpenDataset,
  events: Events,
  context: EngineContext,
): Promise<CutViews[]> => {
  assertCutsExist(base, plan.base)
  const { precision, preprocess } = plan
  const { content } = dataset
  const resolved = new Map<Sha256, CutViews>()
  const notices = new Set<string>()
  for (const [index, { cut, pooling }] of plan.base.cuts.entries()) {
    const request = { engine: plan.engine, precision, base, cut }
    const { engine, reason } = await chooseEngine(request, context)
    if (reason !== null) notices.add(`engine: ${engine.name} (${reason})`)
    if (plan.views > 1 && content.kind !== 'image')
      throw new HeadstartError('REQUEST_INVALID', 'views need images; this dataset holds tensors')
    const specs = viewsOf(plan).map((view) =>
      resolveExtractorSpec({ base, cut, pooling, preprocess, content, view, engine }),
    )
    const plain = specs[0] as ExtractorSpec
    const id = extractorIdOfSpec(plain)
    const same = resolved.get(id)
    if (same !== undefined) notices.add(`pooling has no effect on ${cut}: it is extracted once`)
    const asked = [...(same?.asked ?? []), index]
    resolved.set(id, { cut: { cut, pooling: plain.pooling }, asked, specs })
  }
  for (const notice of notices) events.onNotice?.(notice)
  return [...resolved.values()]
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

/** Loads the base once, when the first pass needs it; again where another engine takes another form. */
const createBaseLoader = (store: Store) => {
  let last: { readonly engine: ExtractorSpec['engine']; readonly base: Promise<LoadedBase> } | null
  last = null
  return (spec: ExtractorSpec): Promise<LoadedBase> => {
    if (last?.engine !== spec.engine) last = { engine: spec.engine, base: loadBaseFor(store, spec) }
    return last.base
  }
}

/** Opens the extractors of one base. */
export const createExtractorOpener = (store: Store, settings: EngineSettings) => {
  const load = createBaseLoader(store)
  return async (spec: ExtractorSpec): Promise<Extractor> =>
    openExtractor(spec, await load(spec), { settings })
}

/** The same words once: cuts that share a forward pass share most of their quarantine. */
const sayingOnce = (events: Events): Events => {
  const said = new Set<string>()
  const onNotice = (message: string): void => {
    if (!said.has(message)) events.onNotice?.(message)
    said.add(message)
  }
  return { ...events, onNotice }
}

/**
 * Makes sure that the features of every cut and view are there. Extractors that share a forward pass
 * are computed together.
 *
 * @returns one an extractor, in the order of `specs`.
 * @throws DATASET_QUARANTINE_EXCEEDED and the errors of extract; what was computed is kept.
 */
export const extractViews = async (request: ExtractViewsRequest): Promise<ViewFeatures[]> => {
  const { store, engines, specs, opened, events, signal, damaged = [], deep = false } = request
  const load = createBaseLoader(store)
  const found = new Map<ExtractorSpec, ViewFeatures>()
  const passes = groupByPass(specs, (spec) => spec)
  for (const [index, pass] of passes.entries()) {
    const prefixes = pass.map((spec) => shardPrefix(extractorIdOfSpec(spec)))
    const results = await extract({
      store,
      specs: pass,
      keys: opened.dataset.samples.map(({ key }) => key),
      openPass: async (missing) =>
        openPass(missing, await load(missing[0] as ExtractorSpec), { settings: engines }),
      readSample: (key) => opened.reader.read(key),
      nameOf: (key) => opened.reader.nameOf(key),
      deep,
      damaged: damaged.filter((key) => prefixes.some((prefix) => key.startsWith(prefix))),
      onProgress: (progress) => events.onExtract?.(progress, index, passes.length),
      ...(signal === undefined ? {} : { signal }),
      ...(events.onNotice === undefined ? {} : { onNotice: events.onNotice }),
    })
    const once = sayingOnce(events)
    for (const [i, result] of results.entries()) {
      const spec = pass[i] as ExtractorSpec
      settleQuarantine(result.featureSet, { ...request, events: once })
      found.set(spec, { ...result, spec })
    }
  }
  return specs.map((spec) => found.get(spec) as ViewFeatures)
}
