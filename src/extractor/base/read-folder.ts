// Owns reading the files of a base from a disk: which kind of base a folder holds, and its files.
// Nothing outside of the folder is read, through links neither.
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { HeadstartError } from '../../errors.js'
import { MAX_WEIGHT_FILES } from './limits.js'
import type { Reader, ReadFile } from './reader.js'
import { SAVED_MODEL_PB } from './saved-model-source.js'

const readBounded = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  // Before it is opened: opening a named pipe waits for a writer.
  const info = await stat(path)
  if (!info.isFile()) throw new Error(`${path} is no file`)
  if (info.size > maxBytes)
    throw new HeadstartError(
      'BASE_TOO_LARGE',
      `${path} has ${info.size} bytes, more than ${maxBytes}`,
    )
  return readFile(path)
}

/** The file of a folder that is a base or describes one; `fallback` where none is there. */
const mainFileOf = async (folder: string, fallback: string): Promise<string> => {
  const names = await readdir(folder)
  for (const name of [fallback, SAVED_MODEL_PB]) if (names.includes(name)) return name
  const models = names.filter((name) => name.endsWith('.onnx')).sort()
  if (models.length > 1)
    throw new HeadstartError(
      'BASE_INVALID',
      `${folder} has ${models.length} ONNX files: give the path of one`,
      { details: models.slice(0, 20) },
    )
  return models[0] ?? fallback
}

/** @throws INPUT_MISSING, BASE_INVALID; its `read` BASE_INVALID, BASE_WEIGHTS_INVALID, BASE_PATH_UNSAFE, BASE_TOO_LARGE. */
export const folderReader = async (
  from: string,
  fallback: string,
): Promise<Reader & { readonly folder: string }> => {
  const found = await stat(from).catch((error: unknown) => {
    throw new HeadstartError('INPUT_MISSING', `there is no base at ${from}`, { cause: error })
  })
  const folder = found.isDirectory() ? from : dirname(from)
  const name = found.isDirectory() ? await mainFileOf(from, fallback) : basename(from)
  const root = await realpath(folder)
  const read: ReadFile = async (path, maxBytes) => {
    const refuse = (what: string) => (error: unknown) => {
      if (error instanceof HeadstartError) throw error
      const code = path === name ? 'BASE_INVALID' : 'BASE_WEIGHTS_INVALID'
      throw new HeadstartError(code, `${join(folder, path)} ${what}`, { cause: error })
    }
    const target = await realpath(join(root, path)).catch(refuse('does not exist'))
    if (!target.startsWith(root.endsWith(sep) ? root : root + sep))
      throw new HeadstartError('BASE_PATH_UNSAFE', `${path} leads out of ${folder}`)
    return readBounded(target, maxBytes).catch(refuse('cannot be read'))
  }
  return { read, name, folder: root }
}

const MAX_DEPTH = 8

/**
 * Paths of all files below a folder of a base, relative to the base; none where it does not exist.
 * Links to folders are not followed: they are listed, and reading them fails.
 *
 * @throws BASE_INVALID for more files or folders than a base may have.
 */
export const filesBelow = async (root: string, path: string): Promise<string[]> => {
  const found: string[] = []
  const walk = async (at: string, depth: number): Promise<void> => {
    const entries = await readdir(join(root, at), { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const inner = `${at}/${entry.name}`
      if (depth > MAX_DEPTH || found.length >= MAX_WEIGHT_FILES)
        throw new HeadstartError('BASE_INVALID', `${path} has too many files or folders`)
      if (entry.isDirectory()) await walk(inner, depth + 1)
      else found.push(inner)
    }
  }
  await walk(path, 0)
  return found.sort()
}
