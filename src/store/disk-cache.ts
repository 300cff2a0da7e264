// Owns the local cache of a remote store: files named by their SHA-256, checked on every read.
// Refuses nothing: whatever goes wrong with the cache, the store answers.
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Sha256, sha256 } from '../identity/hash.js'
import type { Store, StoreKey } from './port.js'

/** Written once, so that their bytes can be kept; everything else passes through. */
const IMMUTABLE_PREFIXES = ['features/', 'bases/', 'blobs/'] as const
/** After new files of this share of the limit the folder, which others may share, is counted again. */
const RECOUNT_SHARE = 1 / 8

const isImmutable = (key: StoreKey): boolean =>
  IMMUTABLE_PREFIXES.some((prefix) => key.startsWith(prefix))

interface CachedFile {
  readonly file: string
  readonly bytes: number
  readonly usedMs: number
}

const readFolder = async (dir: string): Promise<CachedFile[]> => {
  const files = await Promise.all(
    (await readdir(dir)).map(async (name) => {
      const file = path.join(dir, name)
      const info = await stat(file).catch(() => null)
      return info?.isFile() ? { file, bytes: info.size, usedMs: info.mtimeMs } : null
    }),
  )
  return files.filter((file) => file !== null)
}

/** Removes the files that were not used for longest until the rest fits. */
const evict = async (dir: string, maxBytes: number): Promise<void> => {
  const files = (await readFolder(dir)).sort((one, other) => one.usedMs - other.usedMs)
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const { file, bytes } of files) {
    if (total <= maxBytes) return
    await rm(file, { force: true })
    total -= bytes
  }
}

const createDiskCache = (dir: string, maxBytes: number) => {
  /** Bytes written since the folder was counted; at first as if everything had been. */
  let uncounted = Number.POSITIVE_INFINITY
  let evicting: Promise<void> = Promise.resolve()

  const load = async (hash: Sha256): Promise<Uint8Array | null> => {
    const file = path.join(dir, hash)
    const content = await readFile(file).catch(() => null)
    if (content === null) return null
    if (sha256(content) !== hash) {
      await rm(file, { force: true }).catch(() => {})
      return null
    }
    const now = new Date()
    await utimes(file, now, now).catch(() => {})
    return new Uint8Array(content.buffer, content.byteOffset, content.byteLength)
  }

  /** One count after the other: files that come during a count may be missing in it. */
  const makeRoom = async (): Promise<void> => {
    evicting = evicting.then(async () => {
      if (uncounted < maxBytes * RECOUNT_SHARE) return
      uncounted = 0
      await evict(dir, maxBytes).catch(() => {})
    })
    await evicting
  }

  const save = async (hash: Sha256, content: Uint8Array): Promise<void> => {
    if (content.length > maxBytes) return
    const temp = path.join(dir, `.tmp-${randomUUID()}`)
    try {
      await mkdir(dir, { recursive: true })
      await writeFile(temp, content)
      await rename(temp, path.join(dir, hash))
      uncounted += content.length
      await makeRoom()
    } catch {
      // A full or read-only cache disk slows the work down; it must not stop it.
      await rm(temp, { force: true }).catch(() => {})
    }
  }

  return { load, save }
}

/**
 * The store with a cache in front of `get` for write-once objects. `head` says which content the
 * key has, so a deleted object is gone at once. The folder may be shared by processes and stores;
 * it holds at most `maxBytes` and, until the next count, an eighth more for each process.
 */
export const withDiskCache = (store: Store, dir: string, maxBytes: number): Store => {
  const cache = createDiskCache(dir, maxBytes)

  const get = async (key: StoreKey): Promise<Uint8Array | null> => {
    if (!isImmutable(key)) return store.get(key)
    const info = await store.head(key)
    if (info === null) return null
    const cached = await cache.load(info.sha256)
    if (cached !== null) return cached
    const content = await store.get(key)
    // Should the key have been written anew since `head`, the file is dropped when it is read.
    if (content !== null) await cache.save(info.sha256, content)
    return content
  }

  return Object.freeze({
    url: store.url,
    putIfAbsent: (key: StoreKey, content: Uint8Array) => store.putIfAbsent(key, content),
    replace: (key: StoreKey, content: Uint8Array, seenVersion: string | null) =>
      store.replace(key, content, seenVersion),
    get,
    getRange: (key: StoreKey, start: number, length: number) => store.getRange(key, start, length),
    head: (key: StoreKey) => store.head(key),
    list: (prefix: string) => store.list(prefix),
    delete: (key: StoreKey) => store.delete(key),
    close: () => store.close(),
  })
}
