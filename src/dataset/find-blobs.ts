// Owns which blobs the store lacks, with few requests: by listing while that pays, one by one when
// the store holds far more than what is looked for.
import { assertNotAborted } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { eachBounded } from './each-bounded.js'
import { BLOB_PREFIX, blobKey } from './pushed.js'

const PAGE_OBJECTS = 1000
/** Blobs that may be listed for each one that is looked for. */
const LISTED_PER_KEY = 20
const PARALLEL_HEADS = 16

/** The sample keys, in their order, that have no blob. */
export const findMissingBlobs = async (
  store: Store,
  keys: readonly Sha256[],
  signal?: AbortSignal,
): Promise<Sha256[]> => {
  const missing = new Set(keys)
  let budget = PAGE_OBJECTS + LISTED_PER_KEY * keys.length
  let isComplete = true
  for await (const { key } of store.list(BLOB_PREFIX)) {
    missing.delete(key.slice(BLOB_PREFIX.length))
    if (missing.size === 0) break
    budget -= 1
    if (budget % PAGE_OBJECTS === 0) assertNotAborted(signal)
    if (budget > 0) continue
    isComplete = false
    break
  }
  if (!isComplete)
    await eachBounded([...missing], PARALLEL_HEADS, async (key) => {
      assertNotAborted(signal)
      if ((await store.head(blobKey(key))) !== null) missing.delete(key)
    })
  return keys.filter((key) => missing.has(key))
}
