// Owns putting a report into the store: a page, and the data that it was drawn from.
import { isHeadstartError } from '../errors.js'
import type { JsonValue } from '../identity/canonical-json.js'
import { encodeJson } from '../store/json.js'
import type { Store, StoreKey } from '../store/port.js'

/** Newer pages take the place of older ones: they say the same, maybe better. */
const put = async (store: Store, key: StoreKey, content: Uint8Array): Promise<void> => {
  const seen = await store.head(key)
  try {
    await store.replace(key, content, seen?.version ?? null)
  } catch (error) {
    // Somebody else writes the same report.
    if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
  }
}

/** @param report.data is written as JSON. */
export const putReport = async (
  store: Store,
  keyOf: (extension: 'html' | 'json') => StoreKey,
  report: { readonly page: string; readonly data: object },
): Promise<void> => {
  await put(store, keyOf('html'), Buffer.from(report.page))
  const plain = JSON.parse(JSON.stringify(report.data)) as JsonValue
  await put(store, keyOf('json'), encodeJson(plain))
}
