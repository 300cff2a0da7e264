// Owns collecting garbage: listing, planning, deleting. Refuses to start when a document that may
// need something cannot be read.
import { eachBounded } from '../dataset/each-bounded.js'
import { BLOB_PREFIX } from '../dataset/pushed.js'
import { assertNotAborted, HeadstartError } from '../errors.js'
import type { ListedObject, Store } from '../store/port.js'
import { documentKey } from './documents.js'
import type { NameEntry } from './names.js'
import {
  COLLECTED_PREFIXES,
  GARBAGE_KINDS,
  type GarbageKind,
  type GarbageUnit,
  planGarbage,
} from './plan-garbage.js'
import { listPushed, loadPushedContents, type PushedState } from './pushed-content.js'
import { loadReferences } from './references.js'

export const DEFAULT_GRACE_MS = 24 * 3600 * 1000

const PARALLEL_DELETES = 8
/** Blobs that are deleted after one look at which datasets are being pushed. */
const BLOBS_A_LOOK = 256

export interface GarbageRequest {
  readonly store: Store
  /** Say what would go and delete nothing. */
  readonly dryRun: boolean
  readonly graceMs: number
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly signal?: AbortSignal | undefined
}

export interface GarbageCount {
  readonly objects: number
  readonly bytes: number
}

export interface GarbageReport {
  readonly dryRun: boolean
  readonly graceMs: number
  /** What was deleted; in a dry run, what would be. */
  readonly collected: Readonly<Record<GarbageKind, GarbageCount>>
  readonly total: GarbageCount
  /** What nothing needs but is younger than the grace period. */
  readonly young: GarbageCount
  readonly danglingNames: readonly Pick<NameEntry, 'kind' | 'name' | 'id'>[]
  /** Extractors whose base is unknown; while there are any, all bases stay. */
  readonly unknownExtractors: readonly string[]
}

const countOf = (units: readonly GarbageUnit[]): GarbageCount => {
  const objects = units.flatMap((unit) => unit.objects)
  return {
    objects: objects.length,
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/**
 * One after another within a unit: what publishes it goes first.
 *
 * @returns false for a run that was published meanwhile, which stays.
 */
const deleteUnit = async (store: Store, { kind, id, objects }: GarbageUnit): Promise<boolean> => {
  // Between a head and its run.json lie milliseconds: look again whether they have passed.
  if (kind === 'run' && (await store.head(documentKey('run', id))) !== null) return false
  for (const { key } of objects) await store.delete(key)
  return true
}

const deleteUnits = async (
  { store, signal }: GarbageRequest,
  units: readonly GarbageUnit[],
  stayed: Set<GarbageUnit>,
): Promise<void> =>
  eachBounded(units, PARALLEL_DELETES, async (unit) => {
    assertNotAborted(signal)
    if (!(await deleteUnit(store, unit))) stayed.add(unit)
  })

/** A push that began meanwhile counts on what it found: then all that are left stay for this time. */
const deleteBlobs = async (
  request: GarbageRequest,
  blobs: readonly GarbageUnit[],
  seen: PushedState,
  stayed: Set<GarbageUnit>,
): Promise<void> => {
  for (let start = 0; start < blobs.length; start += BLOBS_A_LOOK) {
    const now = await listPushed(request.store)
    if ([...now.stamps].some((stamp) => !seen.stamps.has(stamp))) {
      for (const unit of blobs.slice(start)) stayed.add(unit)
      return
    }
    await deleteUnits(request, blobs.slice(start, start + BLOBS_A_LOOK), stayed)
  }
}

/**
 * Deletes what nothing needs. Safe beside running work: everything is listed before the references
 * are read, so what is published meanwhile keeps what it needs; old leftovers that work in
 * progress had begun to use again are computed or written again by it or by the next call.
 *
 * @throws STORE_CORRUPT when a name, run, feature set or pushed dataset cannot be read; INTERRUPTED.
 */
export const collectGarbage = async (request: GarbageRequest): Promise<GarbageReport> => {
  const { store, dryRun, graceMs, now, signal } = request
  const objects: ListedObject[] = []
  for (const prefix of COLLECTED_PREFIXES) {
    for await (const object of store.list(prefix)) objects.push(object)
    assertNotAborted(signal)
  }
  const references = await loadReferences(store)
  if (references.damaged.length > 0)
    throw new HeadstartError(
      'STORE_CORRUPT',
      'documents cannot be read, so what they need is unknown; nothing was deleted',
      { details: references.damaged.map(({ key, problem }) => `${key}: ${problem}`) },
    )
  const hasBlobs = objects.some(({ key }) => key.startsWith(BLOB_PREFIX))
  const pushedState: PushedState = hasBlobs
    ? await listPushed(store)
    : { datasets: [], stamps: new Set() }
  const pushed = await loadPushedContents(store, pushedState)
  const plan = planGarbage({ ...references, objects, pushed }, { nowMs: now, graceMs })
  const stayed = new Set<GarbageUnit>()
  if (!dryRun) {
    const isBlob = ({ kind }: GarbageUnit): boolean => kind === 'blob'
    const others = plan.garbage.filter((unit) => !isBlob(unit))
    await deleteUnits(request, others, stayed)
    await deleteBlobs(request, plan.garbage.filter(isBlob), pushedState, stayed)
  }
  const gone = plan.garbage.filter((unit) => !stayed.has(unit))
  const collected = Object.fromEntries(
    GARBAGE_KINDS.map((kind) => [kind, countOf(gone.filter((unit) => unit.kind === kind))]),
  ) as Record<GarbageKind, GarbageCount>
  return {
    dryRun,
    graceMs,
    collected,
    total: countOf(gone),
    young: countOf(plan.young),
    danglingNames: plan.danglingNames.map(({ kind, name, id }) => ({ kind, name, id })),
    unknownExtractors: plan.unknownExtractors,
  }
}
