// Owns reading all names of a store back: what each points to. Changes none of them.
import { z } from 'zod'
import { eachBounded } from '../dataset/each-bounded.js'
import { HeadstartError } from '../errors.js'
import { sha256Schema } from '../features/shard.js'
import type { Sha256 } from '../identity/hash.js'
import { getName, listNames, NAME_KINDS, type NameKind } from '../store/names.js'
import type { Store } from '../store/port.js'
import { type Damaged, isDamage, problemOf } from './documents.js'

export interface NameEntry {
  readonly kind: NameKind
  readonly name: string
  readonly id: Sha256
  /** Datasets only: where the content lay when it was added. */
  readonly from: string | null
}

// Not strict: what a later release adds to a name does not hide what the name points to.
const VALUE_SCHEMAS = {
  run: z.object({ runId: sha256Schema }).transform(({ runId }) => ({ id: runId, from: null })),
  base: z.object({ baseId: sha256Schema }).transform(({ baseId }) => ({ id: baseId, from: null })),
  dataset: z
    .object({ datasetId: sha256Schema, from: z.string() })
    .transform(({ datasetId, from }) => ({ id: datasetId, from })),
} as const satisfies Record<NameKind, z.ZodType<{ id: Sha256; from: string | null }>>

const PARALLEL_LOADS = 16

/**
 * What a name points to; null when it is not in use.
 *
 * @throws STORE_CORRUPT when its document is damaged.
 */
export const readName = async (
  store: Store,
  kind: NameKind,
  name: string,
): Promise<NameEntry | null> => {
  const value = await getName(store, kind, name)
  if (value === null) return null
  const parsed = VALUE_SCHEMAS[kind].safeParse(value)
  if (parsed.success) return { kind, name, ...parsed.data }
  throw new HeadstartError(
    'STORE_CORRUPT',
    `the ${kind} name ${name}: ${problemOf(parsed.error)}`,
    { cause: parsed.error },
  )
}

export interface LoadedNames {
  /** Sorted by kind and name. */
  readonly entries: readonly NameEntry[]
  readonly damaged: readonly Damaged[]
}

/** All names of some kinds. */
export const loadNames = async (
  store: Store,
  kinds: readonly NameKind[] = NAME_KINDS,
): Promise<LoadedNames> => {
  const entries: NameEntry[] = []
  const damaged: Damaged[] = []
  for (const kind of kinds) {
    const found: (NameEntry | null)[] = []
    await eachBounded(await listNames(store, kind), PARALLEL_LOADS, async (name, index) => {
      found[index] = null
      try {
        found[index] = await readName(store, kind, name)
      } catch (error) {
        if (!isDamage(error)) throw error
        damaged.push({ key: `names/${kind}/${name}.json`, problem: problemOf(error) })
      }
    })
    for (const entry of found) if (entry !== null) entries.push(entry)
  }
  return { entries, damaged }
}

/** The names that point to an id. */
export const namesOf = (entries: readonly NameEntry[], id: Sha256): string[] =>
  entries.filter((entry) => entry.id === id).map(({ name }) => name)
