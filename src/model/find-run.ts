// Owns `<run>` on the command line and in the API: a registered name, an id, or the start of one.
// Refuses to guess: a prefix that fits several runs lists them all.
import { distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import { sha256Schema } from '../features/shard.js'
import { SHA256_PATTERN, type Sha256, shortId } from '../identity/hash.js'
import { parseStored } from '../store/json.js'
import { getName, isName, listNames } from '../store/names.js'
import type { Store } from '../store/port.js'
import { listRunIds, loadRun, type RunRecord } from './run-record.js'

/** What a name of kind `run` points to. */
export const namedRunSchema = z.strictObject({ runId: sha256Schema })

/** Shorter ones would often fit several runs, or be mistyped names. */
export const MIN_PREFIX_CHARACTERS = 6

const PREFIX_PATTERN = new RegExp(`^[0-9a-f]{${MIN_PREFIX_CHARACTERS},63}$`)
const MAX_NEAR = 5
const MAX_CANDIDATES = 10

/** Published runs whose id begins so, sorted. */
const idsWithPrefix = async (store: Store, prefix: string): Promise<Sha256[]> => {
  const ids: Sha256[] = []
  // A run's folder also holds its head, and is kept without run.json while it is being trained.
  for await (const { key } of store.list(`runs/${prefix}`)) {
    const [, id, file] = key.split('/')
    if (id !== undefined && file === 'run.json') ids.push(id)
  }
  return ids
}

const idOfPrefix = async (store: Store, prefix: string): Promise<Sha256 | null> => {
  const ids = await idsWithPrefix(store, prefix)
  if (ids.length > 1)
    throw new HeadstartError('REQUEST_INVALID', `${ids.length} runs begin with ${prefix}`, {
      details: ids.slice(0, MAX_CANDIDATES).map((id) => `run ${id}`),
    })
  return ids[0] ?? null
}

const notFound = async (store: Store, reference: string): Promise<HeadstartError> => {
  const shown = JSON.stringify(reference.slice(0, 120))
  const [names, ids] = [await listNames(store, 'run'), await listRunIds(store)]
  const near = [...names].sort((a, b) => distance(a, reference) - distance(b, reference))
  const short = /^[0-9a-f]+$/.test(reference) && reference.length < MIN_PREFIX_CHARACTERS
  const hint = short ? `; the start of an id takes at least ${MIN_PREFIX_CHARACTERS}` : ''
  const exists =
    ids.length === 0
      ? 'no run is published in this store'
      : `${ids.length} runs are published, ${names.length} of them by name`
  return new HeadstartError('NOT_FOUND', `no run is called ${shown}${hint}: ${exists}`, {
    details: [
      ...near.slice(0, MAX_NEAR).map((name) => `name: ${name}`),
      ...ids.slice(0, MAX_NEAR).map((id) => `id: ${shortId(id)}`),
    ],
  })
}

/**
 * The run that a reference means: a registered name, a full id, or the start of exactly one id.
 *
 * @throws NOT_FOUND, saying what exists; REQUEST_INVALID when several ids begin so; STORE_CORRUPT
 *   when the name or the record cannot be read.
 */
export const findRun = async (store: Store, reference: string): Promise<RunRecord> => {
  const named = isName(reference) ? await getName(store, 'run', reference) : null
  if (named !== null) {
    const { runId } = parseStored(`names/run/${reference}.json`, named, namedRunSchema)
    const run = await loadRun(store, runId)
    if (run !== null) return run
    throw new HeadstartError(
      'NOT_FOUND',
      `the name ${reference} points to the run ${shortId(runId)}, which was removed`,
    )
  }
  const lower = reference.toLowerCase()
  const id = PREFIX_PATTERN.test(lower) ? await idOfPrefix(store, lower) : lower
  const run = id !== null && SHA256_PATTERN.test(id) ? await loadRun(store, id) : null
  if (run === null) throw await notFound(store, reference)
  return run
}
