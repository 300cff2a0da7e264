// Owns the listing of the file adapter: keys in order, folder by folder, without reading the tree.
import type { Dirent } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import path from 'node:path'
import { systemCodeOf } from './file-errors.js'
import { folderExists } from './file-paths.js'
import { isStoreKey, TEMP_FOLDER } from './key.js'
import type { ListedObject } from './port.js'

/** So many files of a folder are looked at together. */
const STAT_BATCH = 64

const isGone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error))

/** A folder ends with '/', so that `a/b` sorts after `a.b` as the whole keys do. */
const nameOf = (entry: Dirent): string | null => {
  if (entry.isDirectory()) return `${entry.name}/`
  return entry.isFile() ? entry.name : null
}

const readNames = async (folder: string, parentKey: string, start: string): Promise<string[]> => {
  const names: string[] = []
  try {
    for await (const entry of await opendir(folder, { bufferSize: 1024 })) {
      const name = nameOf(entry)
      if (name === null || !name.startsWith(start)) continue
      if (parentKey === '' && entry.name === TEMP_FOLDER) continue
      if (isStoreKey(parentKey + entry.name)) names.push(name)
    }
  } catch (error) {
    if (!isGone(error)) throw error
  }
  return names.sort()
}

const describe = async (folder: string, key: string): Promise<ListedObject | null> => {
  try {
    const info = await lstat(folder)
    return { key, bytes: info.size, modifiedMs: info.mtimeMs }
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

async function* walk(
  folder: string,
  parentKey: string,
  start: string,
): AsyncGenerator<ListedObject> {
  const names = await readNames(folder, parentKey, start)
  for (let from = 0; from < names.length; from += STAT_BATCH) {
    const batch = names.slice(from, from + STAT_BATCH)
    const files = await Promise.all(
      batch.map((name) =>
        name.endsWith('/') ? null : describe(path.join(folder, name), parentKey + name),
      ),
    )
    for (const [index, name] of batch.entries()) {
      const file = files[index]
      if (name.endsWith('/')) yield* walk(path.join(folder, name), parentKey + name, '')
      else if (file) yield file
    }
  }
}

/** Objects whose key starts with the prefix, sorted by key. Sidecars and links are no objects. */
export async function* walkObjects(rootDir: string, prefix: string): AsyncGenerator<ListedObject> {
  const parentKey = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const folder = path.join(rootDir, parentKey)
  if (!(await folderExists(rootDir, folder))) return
  yield* walk(folder, parentKey, prefix.slice(parentKey.length))
}
