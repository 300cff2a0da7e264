// Owns the lock of one object in the file adapter: for changes that need more than one atomic step.
// Creating an object, the common case, takes no lock, so that a killed writer never blocks the next.
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError } from '../errors.js'
import { sha256 } from '../identity/hash.js'
import { systemCodeOf } from './file-errors.js'
import { linkIfAbsent, makeFolder, tempFolderOf } from './file-paths.js'
import type { StoreKey } from './port.js'
import { isAlive } from './process-alive.js'

const LOCK_WAIT_MS = 5_000
/** Locks are held for milliseconds; a holder this old has crashed. */
const LOCK_STALE_MS = 30_000
const POLL_MS = 10

/** The text of the lock when its holder has crashed: known by age or, on this host, by process id. */
const staleTextOf = async (lockPath: string): Promise<string | null> => {
  try {
    // The text first: a lock taken in between is young, and its text is not this one.
    const text = await readFile(lockPath, 'utf8')
    const { mtimeMs } = await stat(lockPath)
    if (Date.now() - mtimeMs > LOCK_STALE_MS) return text
    const [pid, host] = text.split('\n')
    return host === hostname() && Number(pid) > 0 && !isAlive(Number(pid)) ? text : null
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Moves the lock away and looks again: another process may have broken and taken it meanwhile. */
const breakLock = async (lockPath: string, staleText: string): Promise<void> => {
  const moved = `${lockPath}-${randomUUID()}`
  try {
    await rename(lockPath, moved)
    if ((await readFile(moved, 'utf8')) !== staleText) await link(moved, lockPath)
  } catch (error) {
    const code = systemCodeOf(error)
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  } finally {
    await rm(moved, { force: true })
  }
}

const release = async (lockPath: string, text: string): Promise<void> => {
  const current = await readFile(lockPath, 'utf8').catch(() => null)
  if (current === text) await rm(lockPath, { force: true })
}

/** Linked into place with its text in it: a holder killed at any moment is known by its lock. */
const acquire = async (lockPath: string, text: string): Promise<boolean> => {
  const prepared = `${lockPath}-${randomUUID()}`
  const deadline = Date.now() + LOCK_WAIT_MS
  try {
    await writeFile(prepared, text, { flag: 'wx' })
    while (!(await linkIfAbsent(prepared, lockPath))) {
      const staleText = await staleTextOf(lockPath)
      if (staleText !== null) await breakLock(lockPath, staleText)
      else if (Date.now() > deadline) return false
      else await sleep(POLL_MS * (0.5 + Math.random()))
    }
    return true
  } finally {
    await rm(prepared, { force: true })
  }
}

/**
 * Runs `change` while no other process changes the object.
 *
 * @throws STORE_CONFLICT when others hold the lock for too long.
 */
export const withLock = async <T>(
  rootDir: string,
  key: StoreKey,
  change: () => Promise<T>,
): Promise<T> => {
  const folder = tempFolderOf(rootDir)
  await makeFolder(rootDir, folder)
  const lockPath = path.join(folder, `${sha256(key)}.lock`)
  const text = `${process.pid}\n${hostname()}\n${randomUUID()}\n`
  if (!(await acquire(lockPath, text))) {
    throw new HeadstartError('STORE_CONFLICT', `${key} is being changed by another process`)
  }
  try {
    return await change()
  } finally {
    await release(lockPath, text)
  }
}
