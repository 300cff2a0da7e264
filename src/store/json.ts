// Owns JSON documents in a store: canonical text going in, a schema coming out.
import type { z } from 'zod'
import { HeadstartError, messageOf } from '../errors.js'
import { canonicalJson, type JsonValue } from '../identity/canonical-json.js'
import type { Store, StoreKey } from './port.js'

/** One value, one text: equal documents are equal objects. */
export const encodeJson = (value: JsonValue): Uint8Array =>
  new TextEncoder().encode(canonicalJson(value))

/** @throws STORE_CORRUPT when the bytes are not JSON in UTF-8. */
export const decodeJson = (key: StoreKey, content: Uint8Array): JsonValue => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content)) as JsonValue
  } catch (error) {
    throw new HeadstartError('STORE_CORRUPT', `${key} is not JSON: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/**
 * Writes a document once, as canonical JSON.
 *
 * @throws STORE_CONFLICT when the key holds another document.
 */
export const putJson = (
  store: Store,
  key: StoreKey,
  value: JsonValue,
): Promise<'created' | 'exists'> => store.putIfAbsent(key, encodeJson(value))

/**
 * What was read from the store, as its schema says.
 *
 * @param key where it lies, for the message.
 * @throws STORE_CORRUPT when it does not fit the schema; details name each fault.
 */
export const parseStored = <T>(key: StoreKey, value: JsonValue, schema: z.ZodType<T>): T => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new HeadstartError('STORE_CORRUPT', `${key} is not the document that belongs there`, {
    cause: parsed.error,
    details: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  })
}

/**
 * Reads a document.
 *
 * @returns null when there is none.
 * @throws STORE_CORRUPT when it is not JSON or does not fit the schema; details name each fault.
 */
export const getJson = async <T>(
  store: Store,
  key: StoreKey,
  schema: z.ZodType<T>,
): Promise<T | null> => {
  const content = await store.get(key)
  return content === null ? null : parseStored(key, decodeJson(key, content), schema)
}
