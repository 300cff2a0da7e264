// Owns what class folders are, wherever they lie: classes, with split folders above them where
// present. Knows neither disks nor buckets: whoever calls it lists folders.
import { extname } from 'node:path'
import { assertNotAborted } from '../errors.js'
import { type FileEntry, type FoundFiles, splitOfName } from './source.js'
import type { Split } from './types.js'

const IMAGE_EXTENSIONS = new Set(
  ['jpg', 'jpeg', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff'].map((ending) => `.${ending}`),
)

export interface FolderItem {
  readonly kind: 'file' | 'folder'
  /** Relative to the root. */
  readonly name: string
  /** Last part of the name. */
  readonly base: string
  /** Where it lies; one folder has one path, however it was reached. */
  readonly path: string
}

/** What a folder holds, hidden items left out. `prefix` comes before the names: '' or `folder/`. */
export type ListFolder = (path: string, prefix: string) => Promise<FolderItem[]>

interface Walk {
  readonly list: ListFolder
  readonly entries: FileEntry[]
  otherFiles: number
  strayImages: number
}

/** By its extension; what is inside is looked at when it is decoded. */
export const hasImageExtension = (name: string): boolean =>
  IMAGE_EXTENSIONS.has(extname(name).toLowerCase())

const isImage = (item: FolderItem): boolean => hasImageExtension(item.base)

/** Takes the images at and below a class folder. A real folder counts once a class, so links end. */
const walkClass = async (walk: Walk, top: FolderItem, split: Split | undefined): Promise<void> => {
  const label = [top.base]
  const seen = new Set([top.path])
  const pending = [top]
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const item of await walk.list(folder.path, `${folder.name}/`)) {
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
  items: readonly FolderItem[],
  split: Split | undefined,
): Promise<void> => {
  for (const item of items) {
    if (item.kind === 'folder') await walkClass(walk, item, split)
    else if (isImage(item)) walk.strayImages += 1
    else walk.otherFiles += 1
  }
}

/** Split folders count as such only when nothing but split folders is there: "train" is a fine class. */
const walkRoot = async (walk: Walk, root: string): Promise<string[]> => {
  const items = await walk.list(root, '')
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
      const classes = await walk.list(item.path, `${item.name}/`)
      await walkClasses(walk, classes, splitOfName(item.base))
    }
  }
  return []
}

export const plural = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`

/** The images below the class folders of a root. */
export const findInClassFolders = async (
  root: string,
  list: ListFolder,
  signal?: AbortSignal,
): Promise<FoundFiles> => {
  const listSorted: ListFolder = async (path, prefix) => {
    assertNotAborted(signal)
    return (await list(path, prefix)).sort((a, b) => (a.name < b.name ? -1 : 1))
  }
  const walk: Walk = { list: listSorted, entries: [], otherFiles: 0, strayImages: 0 }
  const notes = await walkRoot(walk, root)
  if (walk.otherFiles > 0) {
    notes.push(`ignored ${plural(walk.otherFiles, 'file')} without an image extension`)
  }
  if (walk.strayImages > 0) {
    notes.push(`ignored ${plural(walk.strayImages, 'image')} outside of a class folder`)
  }
  return { entries: walk.entries, notes }
}
