// Owns class folders in a bucket: the keys below a prefix, read as the paths of files.
// Refuses keys that no file of a folder could have; they are named in notes.
import type { ObjectSource, SourceObject } from '../store/object-source.js'
import { faultOfObjectKey } from '../store/url.js'
import { type FolderItem, findInClassFolders, type ListFolder, plural } from './class-folders.js'
import { type FoundFiles, listSome } from './source.js'

/** Prefix of the keys below a folder of a bucket. */
export const keyPrefixOf = (folder: string): string => (folder === '' ? '' : `${folder}/`)

export interface FoundObjects extends FoundFiles {
  /** Objects of the entries, by name. */
  readonly objects: ReadonlyMap<string, SourceObject>
}

/** The folder and the last part of a name: 'a/b/c' is 'c' in 'a/b/'. */
const cutName = (name: string): readonly [folder: string, base: string] => {
  const cut = name.lastIndexOf('/') + 1
  return [name.slice(0, cut), name.slice(cut)]
}

/** Folders of names, made as names come; '' is the root, others end with '/'. */
const createTree = () => {
  const folders = new Map<string, FolderItem[]>([['', []]])
  const addFolder = (folder: string): FolderItem[] => {
    const known = folders.get(folder)
    if (known !== undefined) return known
    const items: FolderItem[] = []
    folders.set(folder, items)
    const name = folder.slice(0, -1)
    const [above, base] = cutName(name)
    addFolder(above).push({ kind: 'folder', name, base, path: folder })
    return items
  }
  return {
    addFolder,
    addFile(name: string): void {
      const [folder, base] = cutName(name)
      addFolder(folder).push({ kind: 'file', name, base, path: name })
    },
    list: (async (path) =>
      (folders.get(path) ?? []).filter(({ base }) => !base.startsWith('.'))) as ListFolder,
  }
}

/**
 * The samples among keys relative to a folder. Pure: only the tree is walked.
 *
 * @param names relative to the folder; one that ends with '/' marks an empty folder.
 */
export const findAmongNames = async (
  names: Iterable<string>,
  signal?: AbortSignal,
): Promise<FoundFiles> => {
  const tree = createTree()
  const refused: string[] = []
  for (const name of names) {
    const isMarker = name.endsWith('/')
    // Marks the folder of the dataset itself.
    if (name === '') continue
    const fault = faultOfObjectKey(isMarker ? name.slice(0, -1) : name)
    if (fault !== null) refused.push(`${JSON.stringify(name)} (${fault})`)
    else if (isMarker) tree.addFolder(name)
    else tree.addFile(name)
  }
  const { entries, notes } = await findInClassFolders('', tree.list, signal)
  return { entries, notes: [...notes, ...listSome(refused.map((text) => `refused ${text}`))] }
}

/**
 * Finds the images below the class folders of a prefix.
 *
 * @param folder key of the folder, '' for the whole bucket.
 * @returns null when no key begins so.
 */
export const findInPrefix = async (
  source: ObjectSource,
  folder: string,
  signal?: AbortSignal,
): Promise<FoundObjects | null> => {
  const prefix = keyPrefixOf(folder)
  const objects = new Map<string, SourceObject>()
  for await (const object of source.list(prefix, { signal }))
    objects.set(object.key.slice(prefix.length), object)
  if (objects.size === 0) return null
  const { entries, notes } = await findAmongNames(objects.keys(), signal)
  // Empty ones are how consoles show a folder.
  const odd = [...objects.values()].filter(
    ({ key, bytes }) => key.endsWith('/') && bytes > 0,
  ).length
  const more = odd === 0 ? [] : [`ignored ${plural(odd, 'object')} whose key ends with "/"`]
  return { entries, notes: [...notes, ...more], objects }
}
