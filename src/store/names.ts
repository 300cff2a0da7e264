// Owns human names: small documents that point to ids and may be pointed elsewhere.
// Refuses to change what a name means unless asked to; every change is a conditional write.
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { canonicalJson, type JsonValue } from '../identity/canonical-json.js'
import { decodeJson, encodeJson } from './json.js'
import type { Store, StoreKey } from './port.js'

export const NAME_KINDS = ['base', 'dataset', 'run'] as const
export type NameKind = (typeof NAME_KINDS)[number]

const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,99}$/i
const SUFFIX = '.json'
const CONFLICT_ATTEMPTS = 20
const CONFLICT_DELAY_MS = 20

/** Whether the text can be a name. */
export const isName = (text: string): boolean => NAME_PATTERN.test(text)

const folderOf = (kind: NameKind): string => `names/${kind}/`

const keyOf = (kind: NameKind, name: string): StoreKey => {
  if (isName(name)) return `${folderOf(kind)}${name}${SUFFIX}`
  throw new HeadstartError(
    'STORE_KEY_INVALID',
    `${JSON.stringify(name.slice(0, 120))} is no name: it takes 1 to 100 letters, digits, '.', '_' and '-', and begins with a letter or digit`,
  )
}

/** What the name points to; null when it is not in use. */
export const getName = async (
  store: Store,
  kind: NameKind,
  name: string,
): Promise<JsonValue | null> => {
  const key = keyOf(kind, name)
  const content = await store.get(key)
  return content === null ? null : decodeJson(key, content)
}

/** One try; false when somebody changed the name meanwhile. */
const trySet = async (
  store: Store,
  request: {
    readonly kind: NameKind
    readonly name: string
    readonly value: JsonValue
    readonly replace: boolean
  },
): Promise<boolean> => {
  const { kind, name, value, replace } = request
  const key = keyOf(kind, name)
  // The version first: should the value change after it, the conditional write fails.
  const seen = await store.head(key)
  const current = seen === null ? null : await store.get(key)
  if (current !== null) {
    if (canonicalJson(decodeJson(key, current)) === canonicalJson(value)) return true
    if (!replace) {
      throw new HeadstartError(
        'NAME_TAKEN',
        `the ${kind} name ${name} is in use for something else`,
      )
    }
  }
  try {
    await store.replace(key, encodeJson(value), seen?.version ?? null)
    return true
  } catch (error) {
    if (isHeadstartError(error, 'STORE_CONFLICT')) return false
    throw error
  }
}

/**
 * Points a name to a value. Pointing it to the value it has is success.
 *
 * @throws NAME_TAKEN when the name has another value and `replace` is not set.
 * @throws STORE_CONFLICT when others keep changing it.
 */
export const setName = async (
  store: Store,
  kind: NameKind,
  name: string,
  value: JsonValue,
  options: { readonly replace?: boolean } = {},
): Promise<void> => {
  const request = { kind, name, value, replace: options.replace ?? false }
  for (let attempt = 1; attempt <= CONFLICT_ATTEMPTS; attempt += 1) {
    if (await trySet(store, request)) return
    await sleep(CONFLICT_DELAY_MS * attempt * Math.random())
  }
  throw new HeadstartError('STORE_CONFLICT', `the ${kind} name ${name} is being changed by others`)
}

/** All names of a kind, sorted. */
export const listNames = async (store: Store, kind: NameKind): Promise<readonly string[]> => {
  const names: string[] = []
  for await (const { key } of store.list(folderOf(kind))) {
    const name = key.slice(folderOf(kind).length, -SUFFIX.length)
    if (key.endsWith(SUFFIX) && isName(name)) names.push(name)
  }
  return names.sort()
}

/**
 * Frees a name; what it pointed to stays.
 *
 * @returns whether the name was in use.
 */
export const removeName = async (store: Store, kind: NameKind, name: string): Promise<boolean> => {
  const key = keyOf(kind, name)
  const used = (await store.head(key)) !== null
  await store.delete(key)
  return used
}
