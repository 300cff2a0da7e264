// Owns removing one object: what publishes it goes first, so that a removal that is cut short
// leaves only what gc collects. Refuses, unless forced, to take away what something else needs.
import { eachBounded } from '../dataset/each-bounded.js'
import { HeadstartError } from '../errors.js'
import type { FeatureSet } from '../features/feature-set.js'
import { type Sha256, shortId } from '../identity/hash.js'
import { removeName } from '../store/names.js'
import type { Store } from '../store/port.js'
import {
  type CatalogKind,
  documentKey,
  isDamage,
  LAYOUT,
  listUnits,
  loadDocument,
} from './documents.js'
import { type Found, findReference, nameKindOf } from './find.js'
import { loadNames, readName } from './names.js'
import { loadReferences, type References } from './references.js'

const PARALLEL_DELETES = 8

export interface Removal {
  readonly kind: CatalogKind
  readonly id: Sha256
  /** Names that pointed to it and are free now. */
  readonly names: readonly string[]
  readonly objects: number
  readonly bytes: number
}

export interface RemoveOptions {
  /** Remove it although something needs it. */
  readonly force?: boolean
}

/** Frees the names that still point to the id when their turn comes. */
const freeNames = async (store: Store, kind: CatalogKind, id: Sha256): Promise<string[]> => {
  const nameKind = nameKindOf(kind)
  if (nameKind === null) return []
  const { entries } = await loadNames(store, [nameKind])
  const freed: string[] = []
  for (const { name } of entries.filter((entry) => entry.id === id)) {
    if ((await readName(store, nameKind, name))?.id !== id) continue
    await removeName(store, nameKind, name)
    freed.push(name)
  }
  return freed
}

/** The publishing document, then everything else under the id, then the names. */
const removeUnit = async (store: Store, kind: CatalogKind, id: Sha256): Promise<Removal> => {
  const [unit] = await listUnits(store, kind, id)
  const published = documentKey(kind, id)
  await store.delete(published)
  const others = unit?.objects.filter(({ key }) => key !== published) ?? []
  await eachBounded(others, PARALLEL_DELETES, ({ key }) => store.delete(key))
  const names = await freeNames(store, kind, id)
  return { kind, id, names, objects: unit?.objects.length ?? 0, bytes: unit?.bytes ?? 0 }
}

const damageOf = ({ damaged }: References): string[] =>
  damaged.map(({ key }) => `${key} cannot be read: it may need it`)

const assertUnneeded = (kind: CatalogKind, id: Sha256, users: readonly string[]): void => {
  if (users.length === 0) return
  throw new HeadstartError(
    'IN_USE',
    `the ${LAYOUT[kind].noun} ${shortId(id)} is needed; --force removes it all the same`,
    { details: users },
  )
}

/** A run or a name that leads to nothing is free to go: nothing needs it. */
export const removeRun = async (store: Store, reference: string): Promise<Removal> => {
  const { id } = await findReference(store, 'run', reference)
  return removeUnit(store, 'run', id)
}

/** Takes its record and report; its runs stay. Nothing needs a sweep. */
export const removeSweep = async (store: Store, reference: string): Promise<Removal> => {
  const { id } = await findReference(store, 'sweep', reference)
  return removeUnit(store, 'sweep', id)
}

/** @throws IN_USE when a run or a sweep was trained on it. */
export const removeDataset = async (
  store: Store,
  reference: string,
  { force = false }: RemoveOptions = {},
): Promise<Removal> => {
  const { id, exists } = await findReference(store, 'dataset', reference)
  if (exists && !force) {
    const references = await loadReferences(store)
    const users = [
      ...references.runs
        .filter(({ datasetId }) => datasetId === id)
        .map(({ runId }) => `the run ${shortId(runId)} was trained on it`),
      ...references.sweeps
        .filter(({ datasetId }) => datasetId === id)
        .map(({ sweepId }) => `the sweep ${shortId(sweepId)} was trained on it`),
    ]
    assertUnneeded('dataset', id, [...users, ...damageOf(references)])
  }
  return removeUnit(store, 'dataset', id)
}

/** @throws IN_USE when a run, a sweep or a feature set needs it. */
export const removeBase = async (
  store: Store,
  reference: string,
  { force = false }: RemoveOptions = {},
): Promise<Removal> => {
  const { id, exists } = await findReference(store, 'base', reference)
  if (exists && !force) {
    const references = await loadReferences(store)
    const { runs, sweeps, featureSets, baseOfExtractor } = references
    const users = [
      ...runs
        .filter(({ baseId }) => baseId === id)
        .map(({ runId }) => `the run ${shortId(runId)} predicts with it`),
      ...sweeps
        .filter(({ baseId }) => baseId === id)
        .map(({ sweepId }) => `the sweep ${shortId(sweepId)} was trained on its features`),
    ]
    for (const { featureSetId, extractorId } of featureSets) {
      const base = baseOfExtractor.get(extractorId)
      if (base === id) users.push(`the feature set ${shortId(featureSetId)} was computed by it`)
      if (base === undefined)
        users.push(`the feature set ${shortId(featureSetId)} does not say which base it needs`)
    }
    assertUnneeded('base', id, [...users, ...damageOf(references)])
  }
  return removeUnit(store, 'base', id)
}

/** The shards of a set that no other set names. */
export const planShardRemoval = (
  set: FeatureSet,
  others: readonly FeatureSet[],
): FeatureSet['shards'] => {
  const needed = new Set(
    others
      .filter(({ featureSetId }) => featureSetId !== set.featureSetId)
      .flatMap(({ shards }) => shards.map(({ key }) => key)),
  )
  return set.shards.filter(({ key }) => !needed.has(key))
}

const loadSetToRemove = async (store: Store, found: Found): Promise<FeatureSet | null> => {
  try {
    return await loadDocument(store, 'featureSet', found.id)
  } catch (error) {
    // A damaged certificate names no shards: it goes alone, gc collects the shards.
    if (isDamage(error)) return null
    throw error
  }
}

/**
 * Removes the certificate, then the shards that no other feature set names. An extraction that is
 * using one of them computes it again.
 *
 * @throws IN_USE when a run was trained on it: that run could not be verified any more.
 */
export const removeFeatureSet = async (
  store: Store,
  reference: string,
  { force = false }: RemoveOptions = {},
): Promise<Removal> => {
  const found = await findReference(store, 'featureSet', reference)
  const { id } = found
  const set = await loadSetToRemove(store, found)
  const references = await loadReferences(store)
  if (!force) {
    const users = references.runs
      .filter(({ featureSetIds }) => featureSetIds.includes(id))
      .map(({ runId }) => `the run ${shortId(runId)} was trained on it and is verified against it`)
    const ownKey = documentKey('featureSet', id)
    const damaged = references.damaged.filter(({ key }) => key !== ownKey)
    assertUnneeded('featureSet', id, [...users, ...damageOf({ ...references, damaged })])
  }
  const removed = await removeUnit(store, 'featureSet', id)
  const shards = set === null ? [] : planShardRemoval(set, references.featureSets)
  await eachBounded(shards, PARALLEL_DELETES, ({ key }) => store.delete(key))
  return {
    ...removed,
    objects: removed.objects + shards.length,
    bytes: removed.bytes + shards.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}
