// Owns which objects of a store nothing needs. Pure: takes a listing, what refers to what, and a
// clock that is handed in. Refuses to call anything garbage that is young or that it does not know.
import { BLOB_PREFIX } from '../dataset/pushed.js'
import { parseShardStoreKey } from '../features/shard-name.js'
import { SHA256_PATTERN, type Sha256 } from '../identity/hash.js'
import type { ListedObject, StoreKey } from '../store/port.js'
import { type CatalogKind, documentKey } from './documents.js'
import type { NameEntry } from './names.js'
import type { PushedContent } from './pushed-content.js'
import type { References } from './references.js'

/**
 * `blob`: content of a sample that was pushed; `run`: files of a run that was never published;
 * `probe`: left by a doctor that was killed.
 */
export const GARBAGE_KINDS = [
  'shard',
  'extractor',
  'base',
  'dataset',
  'blob',
  'run',
  'probe',
] as const
export type GarbageKind = (typeof GARBAGE_KINDS)[number]

/** Only under these prefixes is anything ever garbage. */
export const COLLECTED_PREFIXES = [
  'bases/',
  BLOB_PREFIX,
  'datasets/',
  'doctor/',
  'extractors/',
  'features/',
  'runs/',
] as const

/** Objects that go or stay together. */
export interface GarbageUnit {
  readonly kind: GarbageKind
  /** The id; for a shard its store key, for a blob its sample key. */
  readonly id: string
  /** The one that publishes the unit first: it must be deleted first. */
  readonly objects: readonly ListedObject[]
}

export interface GarbageFacts
  extends Pick<References, 'names' | 'runs' | 'sweeps' | 'baseOfExtractor'> {
  readonly featureSets: readonly {
    readonly extractorId: Sha256
    readonly shards: readonly { readonly key: StoreKey }[]
  }[]
  /** Datasets whose content was pushed, or is being pushed. */
  readonly pushed: readonly PushedContent[]
  /** Everything under COLLECTED_PREFIXES. */
  readonly objects: readonly ListedObject[]
}

export interface GarbageLimits {
  /** Milliseconds since the epoch, by the store's clock as well as it is known. */
  readonly nowMs: number
  /** What changed less than this ago stays: somebody may be extracting right now. */
  readonly graceMs: number
}

export interface GarbagePlan {
  readonly garbage: readonly GarbageUnit[]
  /** What nothing needs yet or any more, but is younger than the grace period. */
  readonly young: readonly GarbageUnit[]
  /** Names that point to nothing. They are reported and stay. */
  readonly danglingNames: readonly NameEntry[]
  /** Extractors that are needed but say nowhere which base they need: all bases stay. */
  readonly unknownExtractors: readonly Sha256[]
}

const FOLDER_KINDS: Readonly<Record<string, 'base' | 'dataset' | 'run'>> = {
  bases: 'base',
  datasets: 'dataset',
  runs: 'run',
}

/** The unit that a key belongs to; null for what this release did not write. */
const unitOf = (key: StoreKey): Pick<GarbageUnit, 'kind' | 'id'> | null => {
  const [folder = '', id = '', ...rest] = key.split('/')
  if (folder === 'doctor') return rest.length > 0 ? { kind: 'probe', id } : null
  if (folder === 'extractors') {
    const extractorId = id.slice(0, -'.json'.length)
    const known = SHA256_PATTERN.test(extractorId) && id.endsWith('.json') && rest.length === 0
    return known ? { kind: 'extractor', id: extractorId } : null
  }
  if (!SHA256_PATTERN.test(id)) return null
  if (folder === 'blobs') return rest.length === 0 ? { kind: 'blob', id } : null
  if (rest.length === 0) return null
  if (folder === 'features')
    return rest.length === 1 && parseShardStoreKey(key) !== null ? { kind: 'shard', id: key } : null
  const kind = FOLDER_KINDS[folder]
  return kind === undefined ? null : { kind, id }
}

const groupUnits = (objects: readonly ListedObject[]): GarbageUnit[] => {
  const units = new Map<string, GarbageUnit & { readonly objects: ListedObject[] }>()
  for (const object of objects) {
    const named = unitOf(object.key)
    if (named === null) continue
    const { kind, id } = named
    const unit = units.get(`${kind} ${id}`) ?? { kind, id, objects: [] }
    const isDocument = isCatalogKind(kind) && object.key === documentKey(kind, id)
    if (isDocument) unit.objects.unshift(object)
    else unit.objects.push(object)
    units.set(`${kind} ${id}`, unit)
  }
  return [...units.values()]
}

const isCatalogKind = (kind: GarbageKind): kind is GarbageKind & CatalogKind =>
  kind === 'base' || kind === 'dataset' || kind === 'run'

const isPublished = ({ kind, id, objects }: GarbageUnit): boolean =>
  isCatalogKind(kind) && objects[0]?.key === documentKey(kind, id)

const extractorOfShard = (storeKey: string): Sha256 => storeKey.split('/')[1] ?? ''

/** Sample keys whose blobs stay: of datasets that stay and were pushed, and of pushes going on. */
const neededBlobs = (
  pushed: readonly PushedContent[],
  datasets: ReadonlySet<Sha256>,
  isYoungAt: (modifiedMs: number) => boolean,
): ReadonlySet<Sha256> => {
  const blobs = new Set<Sha256>()
  for (const { datasetId, isComplete, pushingMs, modifiedMs, keys } of pushed) {
    const stays = datasets.has(datasetId) || isYoungAt(modifiedMs)
    const isNeeded = (isComplete && stays) || (pushingMs !== null && isYoungAt(pushingMs))
    if (isNeeded) for (const key of keys) blobs.add(key)
  }
  return blobs
}

/**
 * What may be deleted. Needed are: shards that a feature set names; extractors of feature sets, of
 * runs and of shards that stay; bases of names, of runs, of sweeps and of extractors that stay;
 * datasets of names, runs and sweeps; blobs of pushed datasets that stay, and of pushes that go on; published runs. What is younger than the grace period stays and needs the same.
 */
export const planGarbage = (facts: GarbageFacts, limits: GarbageLimits): GarbagePlan => {
  const { names, runs, sweeps, featureSets, baseOfExtractor } = facts
  const units = groupUnits(facts.objects)
  const isYoungAt = (modifiedMs: number): boolean => modifiedMs > limits.nowMs - limits.graceMs
  const isYoung = ({ objects }: GarbageUnit): boolean =>
    objects.some(({ modifiedMs }) => isYoungAt(modifiedMs))
  const idsOf = (kind: GarbageKind, isKept: (unit: GarbageUnit) => boolean): string[] =>
    units.filter((unit) => unit.kind === kind && isKept(unit)).map(({ id }) => id)
  const named = (kind: NameEntry['kind']): string[] =>
    names.filter((name) => name.kind === kind).map(({ id }) => id)

  const shards = new Set(featureSets.flatMap((set) => set.shards.map(({ key }) => key)))
  const stayingShards = idsOf('shard', (unit) => shards.has(unit.id) || isYoung(unit))
  const extractors = new Set([
    ...featureSets.map(({ extractorId }) => extractorId),
    ...runs.flatMap(({ extractorIds }) => extractorIds),
    ...stayingShards.map(extractorOfShard),
  ])
  const stayingExtractors = new Set([...extractors, ...idsOf('extractor', isYoung)])
  const unknownExtractors = [...stayingExtractors].filter((id) => !baseOfExtractor.has(id))
  const bases = new Set([
    ...named('base'),
    ...runs.map(({ baseId }) => baseId),
    ...sweeps.map(({ baseId }) => baseId),
    ...[...stayingExtractors].flatMap((id) => baseOfExtractor.get(id) ?? []),
  ])
  const datasets = new Set([
    ...named('dataset'),
    ...runs.map(({ datasetId }) => datasetId),
    ...sweeps.map(({ datasetId }) => datasetId),
  ])
  const blobs = neededBlobs(facts.pushed, datasets, isYoungAt)
  const needed: Readonly<Record<GarbageKind, (unit: GarbageUnit) => boolean>> = {
    shard: ({ id }) => shards.has(id),
    extractor: ({ id }) => extractors.has(id),
    base: ({ id }) => bases.has(id) || unknownExtractors.length > 0,
    dataset: ({ id }) => datasets.has(id),
    blob: ({ id }) => blobs.has(id),
    run: (() => {
      const namedRuns = new Set([...named('run'), ...runs.map(({ runId }) => runId)])
      return (unit) => namedRuns.has(unit.id) || isPublished(unit)
    })(),
    probe: () => false,
  }
  const unneeded = units.filter((unit) => !needed[unit.kind](unit))
  const published = new Set(units.filter(isPublished).map(({ kind, id }) => `${kind} ${id}`))
  return {
    garbage: unneeded.filter((unit) => !isYoung(unit)),
    young: unneeded.filter(isYoung),
    danglingNames: names.filter(({ kind, id }) => !published.has(`${kind} ${id}`)),
    unknownExtractors,
  }
}
