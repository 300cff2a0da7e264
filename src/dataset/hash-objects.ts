// Owns hashing many objects of a bucket, streamed with bounded memory; unchanged ones are not
// downloaded. What tells that an object was not touched is its size and its ETag.
import { createHash } from 'node:crypto'
import { assertNotAborted, HeadstartError, messageOf } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { ObjectSource, SourceObject } from '../store/object-source.js'
import { eachBounded } from './each-bounded.js'
import { findObjects } from './find-objects.js'
import { withManyListeners } from './many-listeners.js'
import { loadRememberedHashes, type RememberedByName } from './remembered-hashes.js'

export interface HashObjectsRequest {
  readonly source: ObjectSource
  /** Comes before every name to make its key. */
  readonly prefix: string
  readonly cacheDir: string
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

export interface HashedObjects {
  /** SHA-256 of each object's bytes, in the order of the names. */
  readonly keys: readonly Sha256[]
  /** How many objects had to be downloaded. */
  readonly read: number
  readonly notes: readonly string[]
}

/** Each holds a few chunks of its body in memory, never the whole. */
const PARALLEL_DOWNLOADS = 32

const stampOf = ({ bytes, etag }: SourceObject): string => `${bytes} ${encodeURIComponent(etag)}`

export const hashBody = async (body: AsyncIterable<Uint8Array>): Promise<Sha256> => {
  const hash = createHash('sha256')
  for await (const chunk of body) hash.update(chunk)
  return hash.digest('hex')
}

const stillTrue = async (
  { source, prefix, signal }: HashObjectsRequest,
  entries: RememberedByName,
): Promise<RememberedByName> => {
  const found = await findObjects(source, prefix, new Set(entries.keys()), signal)
  return new Map(
    [...entries].filter(([name, { stamp }]) => {
      const object = found.get(name)
      return object !== undefined && stampOf(object) === stamp
    }),
  )
}

/**
 * The content hash of each object. What was hashed is remembered in `cacheDir`, after an abort too.
 *
 * @param objects by name, as they were listed.
 * @throws INTERRUPTED; STORE_UNAVAILABLE; DATASET_CHANGED when an object vanished.
 */
export const hashObjects = async (
  names: readonly string[],
  objects: ReadonlyMap<string, SourceObject>,
  request: HashObjectsRequest,
): Promise<HashedObjects> => {
  const { source, prefix, cacheDir, onProgress } = request
  const signal = withManyListeners(request.signal)
  const place = `${source.place}/${prefix}`
  const cache = await loadRememberedHashes(cacheDir, place, (old) => stillTrue(request, old))
  const keys: Sha256[] = new Array(names.length).fill('')
  const notes: string[] = []
  let done = 0
  let read = 0
  let complete = false

  const download = async (name: string): Promise<Sha256> => {
    read += 1
    // The object whose bytes arrived may be a newer one than was listed.
    const hashed = await source.read(
      prefix + name,
      async (body, object) => ({ key: await hashBody(body), object }),
      { signal },
    )
    if (hashed === null)
      throw new HeadstartError('DATASET_CHANGED', `${name} vanished while it was indexed`)
    if (hashed.object.etag !== '') cache.set(name, stampOf(hashed.object), hashed.key)
    return hashed.key
  }

  try {
    await eachBounded(names, PARALLEL_DOWNLOADS, async (name, index) => {
      assertNotAborted(signal)
      const object = objects.get(name)
      const known = object === undefined ? undefined : cache.get(name, stampOf(object))
      keys[index] = known ?? (await download(name))
      done += 1
      onProgress?.(done, names.length)
    })
    complete = true
  } finally {
    // Without a cache the next indexing is slower and nothing else.
    await cache.save({ complete }).catch((error: unknown) => {
      notes.push(`could not remember the hashes of objects: ${messageOf(error)}`)
    })
  }
  return { keys, read, notes }
}
