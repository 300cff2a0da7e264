// Owns not loading the same dataset for every shard of it: the last one stays.
import { loadDataset } from '../dataset/save.js'
import type { Dataset } from '../dataset/types.js'
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'

/** Overlapping extractions look at each other's datasets. */
const KEPT = 4

/** Loads datasets; the last few are kept. @throws as loadDataset. */
export const createDatasetCache = (store: Store): ((id: Sha256) => Promise<Dataset>) => {
  const kept = new Map<Sha256, Promise<Dataset>>()
  return (id) => {
    const found = kept.get(id) ?? loadDataset(store, id)
    // Last used, last in the map.
    kept.delete(id)
    kept.set(id, found)
    found.catch(() => kept.delete(id))
    const [oldest] = kept.keys()
    if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest)
    return found
  }
}
