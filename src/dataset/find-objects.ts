// Owns finding many named objects of a bucket with few requests: by listing while that pays, one by
// one when the bucket holds far more than what is looked for.
import type { ObjectSource, SourceObject } from '../store/object-source.js'
import { eachBounded } from './each-bounded.js'
import { withManyListeners } from './many-listeners.js'

/** A page of a listing has this many objects; a page costs about as much as a few single requests. */
const PAGE_OBJECTS = 1000
/** Objects that may be listed for each one that is looked for. */
const LISTED_PER_NAME = 20
const PARALLEL_HEADS = 32

/** What all texts begin with, cut between characters. */
export const commonPrefixOf = (texts: Iterable<string>): string => {
  let common: string | undefined
  for (const text of texts) {
    common ??= text
    let length = Math.min(common.length, text.length)
    while (!text.startsWith(common.slice(0, length))) length -= 1
    common = common.slice(0, length)
  }
  const found = common ?? ''
  return found.isWellFormed() ? found : found.slice(0, -1)
}

/**
 * The objects of these names, those that are there.
 *
 * @param prefix comes before every name to make its key.
 */
export const findObjects = async (
  source: ObjectSource,
  prefix: string,
  names: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, SourceObject>> => {
  const found = new Map<string, SourceObject>()
  if (names.size === 0) return found
  let budget = PAGE_OBJECTS + LISTED_PER_NAME * names.size
  let isComplete = true
  for await (const object of source.list(prefix + commonPrefixOf(names), { signal })) {
    const name = object.key.slice(prefix.length)
    if (names.has(name)) found.set(name, object)
    budget -= 1
    if (found.size < names.size && budget > 0) continue
    isComplete = found.size === names.size
    break
  }
  if (isComplete) return found
  const missing = [...names].filter((name) => !found.has(name))
  const shared = withManyListeners(signal)
  await eachBounded(missing, PARALLEL_HEADS, async (name) => {
    const object = await source.head(prefix + name, { signal: shared })
    if (object !== null) found.set(name, object)
  })
  return found
}
