// Owns the file adapter: a folder whose files are the objects, readable with any tool.
// `sha256sum -c *.sha256` within a folder checks its objects without this software.
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { HeadstartError } from '../errors.js'
import { createObject, deleteObject, replaceObject } from './file-change.js'
import { storeErrorOf } from './file-errors.js'
import { plainBytes, readInfo, readVerified, withObject } from './file-pair.js'
import { folderExists, type ObjectPaths, pathsOf, sweepTempFolder } from './file-paths.js'
import { walkObjects } from './file-walk.js'
import { assertStoreKey, assertStorePrefix } from './key.js'
import type { ListedObject, Store, StoreKey } from './port.js'
import { assertRange } from './range.js'

const readRange = (paths: ObjectPaths, start: number, length: number): Promise<Uint8Array | null> =>
  withObject(paths, async (handle) => {
    const { size } = await handle.stat()
    const wanted = Buffer.alloc(Math.max(0, Math.min(length, size - start)))
    let filled = 0
    while (filled < wanted.length) {
      const { bytesRead } = await handle.read(
        wanted,
        filled,
        wanted.length - filled,
        start + filled,
      )
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return plainBytes(wanted.subarray(0, filled))
  })

/**
 * A store in a folder of one file system with hard links. The folder is created on the first write.
 * Any number of processes may use it at once. Objects have at most 2 GiB.
 */
export const createFileStore = (rootDir: string): Store => {
  const root = path.resolve(rootDir)
  let swept = false

  const within = async <T>(key: StoreKey, work: (paths: ObjectPaths) => Promise<T>): Promise<T> => {
    assertStoreKey(key)
    try {
      return await work(pathsOf(root, key))
    } catch (error) {
      throw storeErrorOf(error, root, key)
    }
  }

  /** Null without the folder, so that reading never creates anything. */
  const reading = <T>(key: StoreKey, work: (paths: ObjectPaths) => Promise<T | null>) =>
    within(key, async (paths) =>
      (await folderExists(root, paths.folder)) ? await work(paths) : null,
    )

  const writing = <T>(key: StoreKey, work: (paths: ObjectPaths) => Promise<T>): Promise<T> =>
    within(key, async (paths) => {
      if (!swept) {
        swept = true
        await sweepTempFolder(root)
      }
      return await work(paths)
    })

  async function* list(prefix: string): AsyncGenerator<ListedObject> {
    assertStorePrefix(prefix)
    try {
      yield* walkObjects(root, prefix)
    } catch (error) {
      throw storeErrorOf(error, root, prefix)
    }
  }

  return Object.freeze({
    url: pathToFileURL(root).href,

    putIfAbsent: (key: StoreKey, content: Uint8Array) =>
      writing(key, async (paths) =>
        (await createObject(root, paths, content)) === null
          ? ('exists' as const)
          : ('created' as const),
      ),

    replace: (key: StoreKey, content: Uint8Array, seenVersion: string | null) =>
      writing(key, async (paths) => {
        if (seenVersion !== null) return replaceObject(root, paths, content, seenVersion)
        const created = await createObject(root, paths, content)
        if (created !== null) return created
        throw new HeadstartError('STORE_CONFLICT', `${key} was created by another process`)
      }),

    get: (key: StoreKey) =>
      reading(key, async (paths) => (await readVerified(paths))?.content ?? null),

    getRange: async (key: StoreKey, start: number, length: number) => {
      assertRange(key, start, length)
      return reading(key, (paths) => readRange(paths, start, length))
    },

    head: (key: StoreKey) => reading(key, readInfo),

    list,

    delete: async (key: StoreKey) => {
      await reading(key, async (paths) => {
        await deleteObject(root, paths)
        return null
      })
    },

    close: async () => {},
  })
}
