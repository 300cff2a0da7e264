// Owns the lock of one object in the file adapter: for changes that need more than one atomic step.
// Creating an object, the common case, takes no lock, so that a killed writer never blocks the next.
import { randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError } from '../errors.js'
import { sha256 } from '../identity/hash.js'
import { systemCodeOf } from './file-errors.js'
import { makeFolder, tempFolderOf } from './file-paths.js'
import type { StoreKey } from './port.js'

const LOCK_WAIT_MS = 5_000
/** Locks are held for milliseconds; a holder this old has crashed. */
const LOCK_STALE_MS = 30_000
const POLL_MS = 10

const lockTextOf = (token: string): string => `${process.pid}\n${hostname()}\n${token}\n`

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCodeOf(error) !== 'ESRCH'
  }
}

/** The text of the lock when its holder has crashed: known by age or, on this host, by process id. */
const staleTextOf = async (lockPath: string): Promise<string | null> => {
  try {
    const [info, text] = await Promise.all([stat(lockPath), readFile(lockPath, 'utf8')])
    if (Date.now() - info.mtimeMs > LOCK_STALE_MS) return text
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

const tryLock = async (lockPath: string, text: string): Promise<boolean> => {
  try {
    const handle = await open(lockPath, 'wx')
    try {
      await handle.writeFile(text)
    } catch (error) {
      await rm(lockPath, { force: true })
      throw error
    } finally {
      await handle.close()
    }
    return true
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false
    throw error
  }
}

const release = async (lockPath: string, text: string): Promise<void> => {
  const current = await readFile(lockPath, 'utf8').catch(() => null)
  if (current === text) await rm(lockPath, { force: true })
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
  const text = lockTextOf(randomUUID())
  const deadline = Date.now() + LOCK_WAIT_MS
  while (!(await tryLock(lockPath, text))) {
    const staleText = await staleTextOf(lockPath)
    if (staleText !== null) await breakLock(lockPath, staleText)
    else if (Date.now() > deadline) {
      throw new HeadstartError('STORE_CONFLICT', `${key} is being changed by another process`)
    } else await sleep(POLL_MS * (0.5 + Math.random()))
  }
  try {
    return await change()
  } finally {
    await release(lockPath, text)
  }
}
