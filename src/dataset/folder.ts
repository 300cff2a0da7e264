// Owns the folder source: listing folders of a disk for class-folders.ts.
// Refuses links that leave the folder; what it does not take it counts in notes.
import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import { type FolderItem, findInClassFolders, type ListFolder } from './class-folders.js'
import { isInside } from './contained-path.js'
import { type FoundFiles, listSome } from './source.js'

/** What a link leads to; undefined, and a reason in `refused`, when it may not be followed. */
const resolveLink = async (
  root: string,
  link: Omit<FolderItem, 'kind'>,
  refused: string[],
): Promise<FolderItem | undefined> => {
  const { name, base } = link
  try {
    const path = await realpath(link.path)
    if (!isInside(root, path)) {
      refused.push(`${name} (a link that leaves the folder)`)
      return undefined
    }
    const info = await stat(path)
    if (info.isDirectory()) return { kind: 'folder', name, base, path }
    if (info.isFile()) return { kind: 'file', name, base, path }
  } catch {
    refused.push(`${name} (a broken link)`)
  }
  return undefined
}

const readDirents = async (path: string): Promise<Dirent[]> => {
  try {
    return await readdir(path, { withFileTypes: true })
  } catch (cause) {
    throw new HeadstartError('INPUT_MISSING', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}

/** An item of a folder; undefined for what is no file and no folder, or is refused. */
const itemOf = async (
  root: string,
  dirent: Dirent,
  found: Omit<FolderItem, 'kind'>,
  refused: string[],
): Promise<FolderItem | undefined> => {
  if (found.name.includes('\uFFFD')) {
    refused.push(`${found.name} (the name is not UTF-8)`)
    return undefined
  }
  if (dirent.isSymbolicLink()) return resolveLink(root, found, refused)
  if (dirent.isDirectory()) return { kind: 'folder', ...found }
  return dirent.isFile() ? { kind: 'file', ...found } : undefined
}

const createLister =
  (root: string, refused: string[]): ListFolder =>
  async (path, prefix) => {
    const items: FolderItem[] = []
    for (const dirent of await readDirents(path)) {
      const base = dirent.name
      if (base.startsWith('.')) continue
      const found = { name: prefix + base, base, path: join(path, base) }
      const item = await itemOf(root, dirent, found, refused)
      if (item !== undefined) items.push(item)
    }
    return items
  }

/**
 * Finds the images below class folders.
 *
 * @param root real path of the folder.
 * @throws INPUT_MISSING when a folder cannot be read.
 */
export const findInFolder = async (root: string, signal?: AbortSignal): Promise<FoundFiles> => {
  const refused: string[] = []
  const { entries, notes } = await findInClassFolders(root, createLister(root, refused), signal)
  return { entries, notes: [...notes, ...listSome(refused.map((text) => `refused ${text}`))] }
}
