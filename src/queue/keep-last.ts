// Owns not loading the same thing for every job: the last few stay.

/** Overlapping extractions look at each other's datasets. */
const KEPT = 4

/** Loads by key; the last few are kept, failures are not. Equal keys at once load once. */
export const keepLast = <T>(
  load: (key: string) => Promise<T>,
  keptCount: number = KEPT,
): ((key: string) => Promise<T>) => {
  const kept = new Map<string, Promise<T>>()
  return (key) => {
    const found = kept.get(key) ?? load(key)
    // Last used, last in the map.
    kept.delete(key)
    kept.set(key, found)
    found.catch(() => {
      if (kept.get(key) === found) kept.delete(key)
    })
    const [oldest] = kept.keys()
    if (kept.size > keptCount && oldest !== undefined) kept.delete(oldest)
    return found
  }
}
