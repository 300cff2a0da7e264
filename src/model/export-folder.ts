// Owns the folder of an export: written beside the target under another name and renamed at the
// end, so that the target is either whole or not there.
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const DISK_FULL = new Set(['ENOSPC', 'EDQUOT'])

const folderError = (error: unknown, folder: string): unknown => {
  const code = codeOf(error)
  if (error instanceof HeadstartError || code === '') return error
  return DISK_FULL.has(code)
    ? new HeadstartError('STORE_FULL', `the disk of ${folder} is full`, { cause: error })
    : new HeadstartError(
        'REQUEST_INVALID',
        `the folder ${folder} cannot be written: ${messageOf(error)}`,
        { cause: error },
      )
}

/** @returns whether the folder exists (and is empty). */
const assertFree = async (folder: string): Promise<boolean> => {
  try {
    const entries = await readdir(folder)
    if (entries.length === 0) return true
    throw new HeadstartError(
      'REQUEST_INVALID',
      `the folder ${folder} is not empty; an export needs a new or an empty one`,
    )
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    if (codeOf(error) === 'ENOTDIR')
      throw new HeadstartError('REQUEST_INVALID', `${folder} is a file, not a folder`)
    throw error
  }
}

/** Removes the folders from `folder` up to `top` that are empty. */
const removeEmpty = async (folder: string, top: string): Promise<void> => {
  try {
    await rmdir(folder)
    if (folder !== top) await removeEmpty(dirname(folder), top)
  } catch {
    // Somebody else uses it: it stays.
  }
}

/**
 * Calls `write` with a temporary folder and renames that to `folder` when it is done. When it throws,
 * nothing is left behind.
 *
 * @throws REQUEST_INVALID when the folder is in use or cannot be written; STORE_FULL.
 */
export const writeFolder = async <T>(
  folder: string,
  write: (temporary: string) => Promise<T>,
): Promise<T> => {
  const target = resolve(folder)
  const parent = dirname(target)
  let made: string | undefined
  let temporary: string | undefined
  try {
    await assertFree(target)
    made = await mkdir(parent, { recursive: true })
    temporary = join(parent, `.${basename(target)}-${randomUUID()}`)
    await mkdir(temporary)
    const result = await write(temporary)
    // Again: it may have been filled meanwhile. An empty folder is in the way of a rename elsewhere.
    if (await assertFree(target)) await rmdir(target)
    await rename(temporary, target)
    return result
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true })
    if (made !== undefined) await removeEmpty(parent, made)
    throw folderError(error, target)
  }
}
