// Owns the folder source: class folders with images, with split folders above them where present.
// Refuses links that leave the folder; what it does not take it counts in notes.
import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { assertNotAborted, HeadstartError, messageOf } from '../errors.js'
import { isInside } from './contained-path.js'
import { type FileEntry, type FoundFiles, listSome, splitOfName } from './source.js'
import type { Split } from './types.js'

const IMAGE_EXTENSIONS = new Set(
  ['jpg', 'jpeg', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff'].map((ending) => `.${ending}`),
)

interface Item {
  readonly kind: 'file' | 'folder'
  readonly name: string
  /** Last part of the name. */
  readonly base: string
  readonly path: string
}

interface Walk {
  readonly root: string
  readonly signal: AbortSignal | undefined
  readonly entries: FileEntry[]
  readonly refused: string[]
  otherFiles: number
  strayImages: number
}

/** By its extension; what is inside is looked at when it is decoded. */
export const hasImageExtension = (name: string): boolean =>
  IMAGE_EXTENSIONS.has(extname(name).toLowerCase())

const isImage = (item: Item): boolean => hasImageExtension(item.base)

const resolveLink = async (walk: Walk, name: string, link: string): Promise<Item | undefined> => {
  const base = name.slice(name.lastIndexOf('/') + 1)
  try {
    const path = await realpath(link)
    if (!isInside(walk.root, path)) {
      walk.refused.push(`${name} (a link that leaves the folder)`)
      return undefined
    }
    const info = await stat(path)
    if (info.isDirectory()) return { kind: 'folder', name, base, path }
    if (info.isFile()) return { kind: 'file', name, base, path }
  } catch {
    walk.refused.push(`${name} (a broken link)`)
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

/** What a folder holds, hidden items left out, in the order of names. */
const listFolder = async (walk: Walk, path: string, prefix: string): Promise<Item[]> => {
  assertNotAborted(walk.signal)
  const items: Item[] = []
  for (const dirent of await readDirents(path)) {
    if (dirent.name.startsWith('.')) continue
    const name = prefix + dirent.name
    const base = dirent.name
    const itemPath = join(path, base)
    if (name.includes('\uFFFD')) walk.refused.push(`${name} (the name is not UTF-8)`)
    else if (dirent.isDirectory()) items.push({ kind: 'folder', name, base, path: itemPath })
    else if (dirent.isFile()) items.push({ kind: 'file', name, base, path: itemPath })
    else if (dirent.isSymbolicLink()) {
      const item = await resolveLink(walk, name, itemPath)
      if (item !== undefined) items.push(item)
    }
  }
  return items.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Takes the images at and below a class folder. A real folder counts once a class, so links end. */
const walkClass = async (walk: Walk, top: Item, split: Split | undefined): Promise<void> => {
  const label = [top.base]
  const seen = new Set([top.path])
  const pending = [top]
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const item of await listFolder(walk, folder.path, `${folder.name}/`)) {
      if (item.kind === 'folder') {
        if (seen.has(item.path)) continue
        seen.add(item.path)
        pending.push(item)
      } else if (isImage(item)) {
        walk.entries.push({ name: item.name, path: item.path, label, split })
      } else walk.otherFiles += 1
    }
  }
}

const walkClasses = async (
  walk: Walk,
  items: readonly Item[],
  split: Split | undefined,
): Promise<void> => {
  for (const item of items) {
    if (item.kind === 'folder') await walkClass(walk, item, split)
    else if (isImage(item)) walk.strayImages += 1
    else walk.otherFiles += 1
  }
}

/** Split folders count as such only when nothing but split folders is there: "train" is a fine class. */
const walkRoot = async (walk: Walk): Promise<string[]> => {
  const items = await listFolder(walk, walk.root, '')
  const folders = items.filter((item) => item.kind === 'folder')
  const splitNames = folders.filter((item) => splitOfName(item.base) !== undefined)
  if (splitNames.length === 0 || splitNames.length < folders.length) {
    await walkClasses(walk, items, undefined)
    if (!splitNames.some((item) => item.base === 'train')) return []
    const other = folders.find((item) => splitOfName(item.base) === undefined)
    return [`"train" was read as a class, because "${other?.base}" lies beside it`]
  }
  for (const item of items) {
    if (item.kind === 'file') await walkClasses(walk, [item], undefined)
    else {
      const classes = await listFolder(walk, item.path, `${item.name}/`)
      await walkClasses(walk, classes, splitOfName(item.base))
    }
  }
  return []
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/**
 * Finds the images below class folders.
 *
 * @param root real path of the folder.
 * @throws INPUT_MISSING when a folder cannot be read.
 */
export const findInFolder = async (root: string, signal?: AbortSignal): Promise<FoundFiles> => {
  const walk: Walk = { root, signal, entries: [], refused: [], otherFiles: 0, strayImages: 0 }
  const notes = await walkRoot(walk)
  if (walk.otherFiles > 0) {
    notes.push(`ignored ${plural(walk.otherFiles, 'file')} without an image extension`)
  }
  if (walk.strayImages > 0) {
    notes.push(`ignored ${plural(walk.strayImages, 'image')} outside of a class folder`)
  }
  notes.push(...listSome(walk.refused.map((refused) => `refused ${refused}`)))
  return { entries: walk.entries, notes }
}
