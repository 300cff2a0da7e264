// Owns where the file adapter's files lie, and that none of them lies outside the store's folder.
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, realpath, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { HeadstartError } from '../errors.js'
import { systemCodeOf } from './file-errors.js'
import { SIDECAR_SUFFIX, TEMP_FOLDER } from './key.js'
import type { StoreKey } from './port.js'

/** What a crash left in the temporary folder is removed after this time. */
const TEMP_MAX_AGE_MS = 24 * 3600 * 1000

export interface ObjectPaths {
  readonly key: StoreKey
  readonly folder: string
  readonly object: string
  readonly sidecar: string
}

export const pathsOf = (rootDir: string, key: StoreKey): ObjectPaths => {
  const object = path.join(rootDir, ...key.split('/'))
  return { key, folder: path.dirname(object), object, sidecar: object + SIDECAR_SUFFIX }
}

export const tempFolderOf = (rootDir: string): string => path.join(rootDir, TEMP_FOLDER)

/** The folder's real path, or null when there is no such folder. */
const realFolder = async (folder: string): Promise<string | null> => {
  try {
    return await realpath(folder)
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
}

const isWithin = (rootDir: string, folder: string): boolean =>
  folder === rootDir || folder.startsWith(rootDir === path.sep ? rootDir : rootDir + path.sep)

/**
 * Whether the folder exists.
 *
 * @throws STORE_CORRUPT when a symbolic link leads it out of the store's folder.
 */
export const folderExists = async (rootDir: string, folder: string): Promise<boolean> => {
  const [realRoot, real] = await Promise.all([realFolder(rootDir), realFolder(folder)])
  if (realRoot === null || real === null) return false
  if (isWithin(realRoot, real)) return true
  throw new HeadstartError('STORE_CORRUPT', `${folder} is a link that leads out of ${rootDir}`)
}

/** Creates a folder within the root; looks at every level first, so that no link is followed out. */
export const makeFolder = async (rootDir: string, folder: string): Promise<void> => {
  if (await folderExists(rootDir, folder)) return
  const parent = path.dirname(folder)
  if (folder !== rootDir && parent !== folder) await makeFolder(rootDir, parent)
  await mkdir(folder, { recursive: true })
}

/** Makes the names in a folder durable. Not every file system can; those that cannot need not. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (systemCodeOf(error) !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}

/** Writes a durable file under `.tmp` for `use` to link or rename into place; removes it after. */
export const withTempFile = async <T>(
  rootDir: string,
  content: Uint8Array | string,
  use: (tempPath: string) => Promise<T>,
): Promise<T> => {
  const folder = tempFolderOf(rootDir)
  await makeFolder(rootDir, folder)
  const tempPath = path.join(folder, randomUUID())
  try {
    const handle = await open(tempPath, 'wx')
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    return await use(tempPath)
  } finally {
    await rm(tempPath, { force: true })
  }
}

/** Links a file to its final name; false when that name is taken. */
export const linkIfAbsent = async (from: string, to: string): Promise<boolean> => {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false
    throw error
  }
}

/** Removes what crashed writers left behind long ago. */
export const sweepTempFolder = async (rootDir: string): Promise<void> => {
  const folder = tempFolderOf(rootDir)
  if (!(await folderExists(rootDir, folder))) return
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name)
    const info = await stat(file).catch(() => null)
    if (info?.isFile() && Date.now() - info.mtimeMs > TEMP_MAX_AGE_MS)
      await rm(file, { force: true })
  }
}
