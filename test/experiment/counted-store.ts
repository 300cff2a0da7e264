// Owns a store that counts how often each shard is read. It has no files that a reader could go round it to.
import type { Store } from '../../src/store/port.js'

export interface CountedStore {
  readonly store: Store
  /** Reads of each shard that was read, by its key. */
  readonly reads: ReadonlyMap<string, number>
}

export const countReads = (store: Store): CountedStore => {
  const reads = new Map<string, number>()
  const count = (key: string): void => {
    if (key.startsWith('features/')) reads.set(key, (reads.get(key) ?? 0) + 1)
  }
  return {
    reads,
    store: {
      url: 'counted://store',
      putIfAbsent: (key, content) => store.putIfAbsent(key, content),
      replace: (key, content, version) => store.replace(key, content, version),
      get: (key) => {
        count(key)
        return store.get(key)
      },
      getRange: (key, start, length) => {
        count(key)
        return store.getRange(key, start, length)
      },
      head: (key) => store.head(key),
      list: (prefix) => store.list(prefix),
      delete: (key) => store.delete(key),
      close: () => store.close(),
    },
  }
}
