// Owns what a reference on the command line means: a name, an id, or the unique beginning of an id.
// Refuses to guess: near names are shown, several candidates are listed.
import { distance } from 'fastest-levenshtein'
import { HeadstartError } from '../errors.js'
import { type Sha256, shortId } from '../identity/hash.js'
import { MIN_PREFIX_CHARACTERS } from '../model/find-run.js'
import { isName, listNames, type NameKind } from '../store/names.js'
import type { Store } from '../store/port.js'
import { type CatalogKind, LAYOUT, listUnits } from './documents.js'
import { readName } from './names.js'

const ID_PREFIX_PATTERN = new RegExp(`^[0-9a-f]{${MIN_PREFIX_CHARACTERS},64}$`)
const MAX_NEAR = 5
const MAX_CANDIDATES = 20

export interface Found {
  readonly id: Sha256
  /** The name that was given; null when it was an id. */
  readonly name: string | null
  /** False when the name points to something that is not there. */
  readonly exists: boolean
}

/** Feature sets and sweeps have no names: an experiment finds them by what they are. */
export const nameKindOf = (kind: CatalogKind): NameKind | null =>
  kind === 'featureSet' || kind === 'sweep' ? null : kind

const listPublishedIds = async (
  store: Store,
  kind: CatalogKind,
  prefix: string,
): Promise<Sha256[]> =>
  (await listUnits(store, kind, prefix)).filter((unit) => unit.published).map(({ id }) => id)

const findById = async (store: Store, kind: CatalogKind, prefix: string): Promise<Found | null> => {
  const ids = await listPublishedIds(store, kind, prefix)
  const [id, second] = ids
  if (id === undefined) return null
  if (second === undefined) return { id, name: null, exists: true }
  throw new HeadstartError(
    'REQUEST_INVALID',
    `${prefix} is the beginning of ${ids.length} ${LAYOUT[kind].noun} ids; give more of it`,
    { details: ids.slice(0, MAX_CANDIDATES) },
  )
}

const findByName = async (
  store: Store,
  kind: CatalogKind,
  reference: string,
): Promise<Found | null> => {
  const nameKind = nameKindOf(kind)
  if (nameKind === null || !isName(reference)) return null
  const entry = await readName(store, nameKind, reference)
  if (entry === null) return null
  const exists = (await listPublishedIds(store, kind, entry.id)).length > 0
  return { id: entry.id, name: reference, exists }
}

const notFound = async (
  store: Store,
  kind: CatalogKind,
  reference: string,
): Promise<HeadstartError> => {
  const nameKind = nameKindOf(kind)
  const names = nameKind === null ? [] : await listNames(store, nameKind)
  const near = [...names]
    .sort((a, b) => distance(a, reference) - distance(b, reference))
    .slice(0, MAX_NEAR)
  const { noun } = LAYOUT[kind]
  const how = nameKind === null ? 'an id' : 'a name, an id'
  const shown = JSON.stringify(reference.slice(0, 120))
  return new HeadstartError(
    'NOT_FOUND',
    `there is no ${noun} ${shown}; give ${how} or the first ${MIN_PREFIX_CHARACTERS} or more characters of an id`,
    { details: near.map((name) => `near: ${name}`) },
  )
}

/**
 * What a reference means; names come before ids. For a run to read, use findRun of src/model:
 * this one also finds names that lead to nothing, so that they can be removed.
 *
 * @throws NOT_FOUND (details: near names); REQUEST_INVALID when ids of several objects begin so
 *   (details: the ids).
 */
export const findReference = async (
  store: Store,
  kind: CatalogKind,
  reference: string,
): Promise<Found> => {
  const named = await findByName(store, kind, reference)
  if (named !== null) return named
  const prefix = reference.toLowerCase()
  const found = ID_PREFIX_PATTERN.test(prefix) ? await findById(store, kind, prefix) : null
  if (found === null) throw await notFound(store, kind, reference)
  return found
}

/**
 * The id that a reference means, of something that is there.
 *
 * @throws NOT_FOUND, REQUEST_INVALID.
 */
export const findId = async (
  store: Store,
  kind: CatalogKind,
  reference: string,
): Promise<Sha256> => {
  const { id, exists } = await findReference(store, kind, reference)
  if (exists) return id
  const { noun, command } = LAYOUT[kind]
  throw new HeadstartError(
    'NOT_FOUND',
    `the name ${reference} points to the ${noun} ${shortId(id)}, which was removed; \`headstart ${command} rm ${reference}\` frees the name`,
  )
}
