// Owns answering equal requests that arrive together with one piece of work.
import { canonicalJson, type JsonValue } from '../identity/canonical-json.js'

/** Work of equal keys that is under way is shared; what has ended is done anew. */
export const createSingleFlight = () => {
  const underWay = new Map<string, Promise<unknown>>()
  return <T>(key: readonly unknown[], work: () => Promise<T>): Promise<T> => {
    const name = canonicalJson(JSON.parse(JSON.stringify(key)) as JsonValue)
    const existing = underWay.get(name)
    if (existing !== undefined) return existing as Promise<T>
    const started = work().finally(() => underWay.delete(name))
    underWay.set(name, started)
    return started
  }
}
