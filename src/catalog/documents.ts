// Owns where each kind of published object lies in a store, which ids there are, and loading their
// documents in bulk. Damaged documents are named beside the whole ones: one never hides the others.
import { z } from 'zod'
import { eachBounded } from '../dataset/each-bounded.js'
import { loadStoredDataset, type StoredDataset } from '../dataset/save.js'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { type BaseRecord, loadBaseRecord } from '../extractor/base/load.js'
import { type FeatureSet, loadFeatureSet } from '../features/feature-set.js'
import { SHA256_PATTERN, type Sha256 } from '../identity/hash.js'
import { loadRun, type RunRecord } from '../model/run-record.js'
import { loadSweep, type SweepRecord } from '../model/sweep-record.js'
import type { ListedObject, Store, StoreKey } from '../store/port.js'

export const CATALOG_KINDS = ['run', 'dataset', 'base', 'featureSet', 'sweep'] as const
export type CatalogKind = (typeof CATALOG_KINDS)[number]

interface Documents {
  readonly run: RunRecord
  readonly dataset: StoredDataset
  readonly base: BaseRecord
  readonly featureSet: FeatureSet
  readonly sweep: SweepRecord
}
export type DocumentOf<K extends CatalogKind> = Documents[K]

interface KindLayout<T> {
  /** What people call it. */
  readonly noun: string
  /** The command that lists the kind. */
  readonly command: string
  /** All objects of one id begin with the folder and the id. */
  readonly folder: string
  /** What follows the id in the key of the document that publishes the object. */
  readonly suffix: string
  readonly load: (store: Store, id: Sha256) => Promise<T | null>
  readonly idOf: (document: T) => Sha256
}

export const LAYOUT: { readonly [K in CatalogKind]: KindLayout<Documents[K]> } = {
  run: {
    noun: 'run',
    command: 'runs',
    folder: 'runs/',
    suffix: '/run.json',
    load: loadRun,
    idOf: ({ runId }) => runId,
  },
  dataset: {
    noun: 'dataset',
    command: 'datasets',
    folder: 'datasets/',
    suffix: '/dataset.json',
    load: async (store, id) => {
      try {
        return await loadStoredDataset(store, id)
      } catch (error) {
        if (isHeadstartError(error, 'NOT_FOUND')) return null
        throw error
      }
    },
    idOf: ({ datasetId }) => datasetId,
  },
  base: {
    noun: 'base',
    command: 'bases',
    folder: 'bases/',
    suffix: '/base.json',
    load: loadBaseRecord,
    idOf: ({ baseId }) => baseId,
  },
  featureSet: {
    noun: 'feature set',
    command: 'features',
    folder: 'feature-sets/',
    suffix: '.json',
    load: loadFeatureSet,
    idOf: ({ featureSetId }) => featureSetId,
  },
  sweep: {
    noun: 'sweep',
    command: 'sweeps',
    folder: 'sweeps/',
    suffix: '/sweep.json',
    load: loadSweep,
    idOf: ({ sweepId }) => sweepId,
  },
}

const ID_CHARACTERS = 64
/** Documents are small: what costs is the way to a remote store. */
const PARALLEL_LOADS = 16

/** A document that cannot be read. */
export interface Damaged {
  readonly key: StoreKey
  readonly problem: string
}

export const documentKey = (kind: CatalogKind, id: Sha256): StoreKey =>
  `${LAYOUT[kind].folder}${id}${LAYOUT[kind].suffix}`

/** Whether an error means broken content, and not that the store failed. */
export const isDamage = (error: unknown): boolean =>
  isHeadstartError(error, 'STORE_CORRUPT') ||
  error instanceof z.ZodError ||
  error instanceof SyntaxError

/** One line, whatever was thrown. */
export const problemOf = (error: unknown): string =>
  error instanceof z.ZodError
    ? `not the document that belongs there (${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message})`
    : messageOf(error)

/** Everything that lies under one id. */
export interface StoredUnit {
  readonly id: Sha256
  /** Sorted by key. */
  readonly objects: readonly ListedObject[]
  readonly bytes: number
  /** False for what was never published or is half removed. */
  readonly published: boolean
}

/** All ids of a kind that begin with the prefix, sorted, with what lies under each. */
export const listUnits = async (
  store: Store,
  kind: CatalogKind,
  idPrefix = '',
): Promise<StoredUnit[]> => {
  const { folder } = LAYOUT[kind]
  const units = new Map<Sha256, ListedObject[]>()
  for await (const object of store.list(`${folder}${idPrefix}`)) {
    const id = object.key.slice(folder.length, folder.length + ID_CHARACTERS)
    const next = object.key.charAt(folder.length + ID_CHARACTERS)
    if (!SHA256_PATTERN.test(id) || (next !== '/' && next !== '.')) continue
    const objects = units.get(id) ?? []
    objects.push(object)
    units.set(id, objects)
  }
  return [...units].map(([id, objects]) => ({
    id,
    objects,
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    published: objects.some(({ key }) => key === documentKey(kind, id)),
  }))
}

/**
 * The document of one id.
 *
 * @returns null when there is none.
 * @throws STORE_CORRUPT when it cannot be read or belongs to another id.
 */
export const loadDocument = async <K extends CatalogKind>(
  store: Store,
  kind: K,
  id: Sha256,
): Promise<DocumentOf<K> | null> => {
  const key = documentKey(kind, id)
  const { load, idOf }: KindLayout<DocumentOf<K>> = LAYOUT[kind]
  try {
    const document = await load(store, id)
    if (document === null || idOf(document) === id) return document
    throw new HeadstartError('STORE_CORRUPT', `${key} says that it is ${idOf(document)}`)
  } catch (error) {
    if (!isDamage(error) || error instanceof HeadstartError) throw error
    throw new HeadstartError('STORE_CORRUPT', `${key}: ${problemOf(error)}`, { cause: error })
  }
}

export interface Loaded<T> {
  readonly documents: readonly { readonly unit: StoredUnit; readonly document: T }[]
  readonly damaged: readonly Damaged[]
}

/** The documents of all published objects of a kind, in the order of their ids. */
export const loadDocuments = async <K extends CatalogKind>(
  store: Store,
  kind: K,
): Promise<Loaded<DocumentOf<K>>> => {
  const units = (await listUnits(store, kind)).filter(({ published }) => published)
  const found: (DocumentOf<K> | null)[] = []
  const damaged: Damaged[] = []
  await eachBounded(units, PARALLEL_LOADS, async ({ id }, index) => {
    found[index] = null
    try {
      found[index] = await loadDocument(store, kind, id)
    } catch (error) {
      if (!isDamage(error)) throw error
      damaged.push({ key: documentKey(kind, id), problem: problemOf(error) })
    }
  })
  return {
    documents: units.flatMap((unit, index) => {
      const document = found[index]
      return document === null || document === undefined ? [] : [{ unit, document }]
    }),
    damaged: damaged.sort((a, b) => (a.key < b.key ? -1 : 1)),
  }
}
