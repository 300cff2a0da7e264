// Owns the rule that a dataset's files lie in its folder, links resolved.
// Refuses absolute paths, `..` that leaves, links that leave, and what is no regular file.
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, posix, sep, win32 } from 'node:path'

/** Whether a real path is the real folder or lies below it. */
export const isInside = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

/** The normal form of a relative path; undefined when it is absolute, leaves the folder or is empty. */
export const containedName = (path: string): string | undefined => {
  if (path === '' || path.includes('\0')) return undefined
  if (posix.isAbsolute(path) || win32.isAbsolute(path)) return undefined
  const name = posix.normalize(path)
  return name === '.' || name === '..' || name.startsWith('../') ? undefined : name
}

export type Resolved =
  | { readonly path: string }
  | { readonly problem: 'missing' | 'outside' | 'no file' }

/** Resolves contained names to real paths; remembers folders, so that a file costs one `lstat`. */
export const createResolver = (root: string): ((name: string) => Promise<Resolved>) => {
  const folders = new Map<string, Promise<string>>()
  const realFolder = (folder: string): Promise<string> => {
    const known = folders.get(folder)
    if (known !== undefined) return known
    const found = realpath(folder)
    folders.set(folder, found)
    return found
  }
  return async (name) => {
    try {
      const given = join(root, name)
      const folder = await realFolder(dirname(given))
      if (!isInside(root, folder)) return { problem: 'outside' }
      const path = join(folder, basename(given))
      const info = await lstat(path)
      if (info.isFile()) return { path }
      if (!info.isSymbolicLink()) return { problem: 'no file' }
      const real = await realpath(path)
      if (!isInside(root, real)) return { problem: 'outside' }
      return (await stat(real)).isFile() ? { path: real } : { problem: 'no file' }
    } catch {
      return { problem: 'missing' }
    }
  }
}

// Windows has neither flag. A FIFO that took a file's place must not block the open.
const READ_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Opens a real path for reading; fails when a link took its place. */
export const openReal = (path: string): Promise<FileHandle> => open(path, READ_FLAGS)
