// Owns the changes of the file adapter: create, replace, delete, each sound when killed at any point.
// Invariant: an object is visible only after its sidecar; nobody ever sees a half-written file.
import { lstat, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError } from '../errors.js'
import { type Sha256, sha256 } from '../identity/hash.js'
import { withLock } from './file-lock.js'
import {
  infoOf,
  readInfo,
  readObject,
  readSidecar,
  stampOf,
  writeSidecar,
  writeSidecarIfAbsent,
} from './file-pair.js'
import {
  linkIfAbsent,
  makeFolder,
  type ObjectPaths,
  syncFolder,
  tempFolderOf,
  withTempFile,
} from './file-paths.js'
import type { ObjectInfo } from './port.js'

/** A claim whose object does not appear for this long belongs to a writer that crashed. */
const CLAIM_WAIT_MS = 5_000
const POLL_MS = 10

const conflict = (paths: ObjectPaths, text: string): HeadstartError =>
  new HeadstartError('STORE_CONFLICT', `${paths.key} ${text}`)

/** Gives the object that has our content its sidecar, where that is missing or wrong. */
const healSidecar = async (rootDir: string, paths: ObjectPaths, hash: Sha256): Promise<void> => {
  if ((await readSidecar(paths))?.includes(hash)) return
  await withLock(rootDir, paths.key, async () => {
    const object = await readObject(paths)
    if (object?.sha256 === hash) await writeSidecar(rootDir, paths, [hash])
  })
}

/** Whether an object of equal content is there; heals its sidecar. */
const existsEqual = async (rootDir: string, paths: ObjectPaths, hash: Sha256): Promise<boolean> => {
  const object = await readObject(paths)
  if (object === null) return false
  if (object.sha256 === hash) {
    await healSidecar(rootDir, paths, hash)
    return true
  }
  const recorded = await readSidecar(paths)
  if (recorded?.length === 1 && recorded[0] === hash) {
    throw new HeadstartError(
      'STORE_CORRUPT',
      `${paths.key} has SHA-256 ${object.sha256}, but ${hash} was recorded`,
    )
  }
  throw conflict(paths, 'exists with other content')
}

/**
 * Writes the sidecar before the object, so that no reader meets an object without one, even after
 * a crash. Of writers with different content the first sidecar wins; the others wait for its
 * object. Where none comes the claim is taken over; should its writer be alive after all, it
 * looks at the sidecar once more after linking its object (`createObject`).
 */
const claim = async (rootDir: string, paths: ObjectPaths, hash: Sha256): Promise<void> => {
  const deadline = Date.now() + CLAIM_WAIT_MS
  while (Date.now() < deadline) {
    const claimed = await readSidecar(paths)
    if (claimed === null && (await writeSidecarIfAbsent(rootDir, paths, hash))) return
    if (claimed?.includes(hash) || (await stampOf(paths.object)) !== null) return
    if (claimed !== null) await sleep(POLL_MS)
  }
  await withLock(rootDir, paths.key, async () => {
    if ((await stampOf(paths.object)) === null) await writeSidecar(rootDir, paths, [hash])
  })
}

/**
 * Creates an object that is not there.
 *
 * @returns null when an object of equal content was there.
 * @throws STORE_CONFLICT when an object of other content is there.
 */
export const createObject = async (
  rootDir: string,
  paths: ObjectPaths,
  content: Uint8Array,
): Promise<ObjectInfo | null> => {
  const hash = sha256(content)
  await makeFolder(rootDir, paths.folder)
  if ((await lstat(paths.object).catch(() => null))?.isDirectory()) {
    throw new HeadstartError('STORE_KEY_INVALID', `${paths.key} is a folder of other objects`)
  }
  if (await existsEqual(rootDir, paths, hash)) return null
  return withTempFile(rootDir, content, async (temp) => {
    const stamp = await stampOf(temp)
    await claim(rootDir, paths, hash)
    if (!(await linkIfAbsent(temp, paths.object))) {
      if (await existsEqual(rootDir, paths, hash)) return null
      throw conflict(paths, 'was there and vanished while it was written')
    }
    await healSidecar(rootDir, paths, hash)
    await syncFolder(paths.folder)
    return stamp && infoOf(paths, hash, stamp)
  })
}

/**
 * Replaces the version that was seen.
 *
 * Two files cannot change in one step, so the sidecar names both SHA-256 while the object changes:
 * killed before the object's rename, the old object agrees with it; killed after, the new one.
 * The next replacement leaves one line again.
 *
 * @throws STORE_CONFLICT when another version is there.
 */
export const replaceObject = async (
  rootDir: string,
  paths: ObjectPaths,
  content: Uint8Array,
  seenVersion: string,
): Promise<ObjectInfo> => {
  const hash = sha256(content)
  await makeFolder(rootDir, paths.folder)
  return withTempFile(rootDir, content, (temp) =>
    withLock(rootDir, paths.key, async () => {
      const [current, stamp] = await Promise.all([readInfo(paths), stampOf(temp)])
      if (current?.version !== seenVersion || stamp === null) {
        throw conflict(paths, 'was changed by another process')
      }
      await writeSidecar(rootDir, paths, [current.sha256, hash])
      await rename(temp, paths.object)
      await writeSidecar(rootDir, paths, [hash])
      await syncFolder(paths.folder)
      return infoOf(paths, hash, stamp)
    }),
  )
}

/**
 * Removes the object, then its sidecar. Should the object have been created anew in between, its
 * sidecar, which has the same content or was written anew too, is put back.
 */
export const deleteObject = async (rootDir: string, paths: ObjectPaths): Promise<void> => {
  if ((await stampOf(paths.object)) === null && (await stampOf(paths.sidecar)) === null) return
  await withLock(rootDir, paths.key, async () => {
    await rm(paths.object, { force: true })
    if ((await stampOf(paths.sidecar)) === null) return
    const moved = path.join(tempFolderOf(rootDir), `${sha256(paths.key)}.deleted`)
    await rename(paths.sidecar, moved)
    if ((await stampOf(paths.object)) !== null) await linkIfAbsent(moved, paths.sidecar)
    await rm(moved, { force: true })
  })
}
