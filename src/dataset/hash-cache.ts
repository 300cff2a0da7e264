// Owns the remembered hashes of local files: what tells that a file was not touched, and when that
// cannot be told.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha256 } from '../identity/hash.js'
import { eachBounded } from './each-bounded.js'
import {
  loadRememberedHashes,
  type Remembered,
  type RememberedByName,
} from './remembered-hashes.js'

/** What tells that a file was not touched: size, modification time in nanoseconds, inode. */
export interface FileStamp {
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ino: bigint
}

export interface HashCache {
  get(name: string, stamp: FileStamp): Sha256 | undefined
  /**
   * Remembers a hash, unless the file was modified so shortly before it was read that a second
   * change could leave the same modification time (git calls this "racily clean").
   */
  set(name: string, stamp: FileStamp, key: Sha256, readAtMs: number): void
  /** @param options.complete all files of a dataset were looked at; see RememberedHashes. */
  save(options: { readonly complete: boolean }): Promise<void>
}

const RACY_WINDOW_MS = 2000
const PARALLEL_STATS = 16

const textOfStamp = ({ size, mtimeNs, ino }: FileStamp): string => `${size} ${mtimeNs} ${ino}`

/** The entries whose files are still as they were when they were hashed. */
const stillTrue = async (
  root: string,
  entries: RememberedByName,
): Promise<Map<string, Remembered>> => {
  const kept = new Map<string, Remembered>()
  await eachBounded([...entries], PARALLEL_STATS, async ([name, entry]) => {
    const found = await stat(join(root, name), { bigint: true }).catch(() => null)
    if (found !== null && textOfStamp(found) === entry.stamp) kept.set(name, entry)
  })
  return kept
}

/**
 * Loads what is remembered about the files below a folder.
 *
 * @param cacheDir local folder of the caller; made when the cache is saved.
 * @param root real path of the dataset's folder.
 */
export const loadHashCache = async (cacheDir: string, root: string): Promise<HashCache> => {
  const hashes = await loadRememberedHashes(cacheDir, root, (entries) => stillTrue(root, entries))
  return {
    get: (name, stamp) => hashes.get(name, textOfStamp(stamp)),
    set(name, stamp, key, readAtMs) {
      const modifiedMs = Number(stamp.mtimeNs / 1_000_000n)
      if (stamp.mtimeNs < 0n || modifiedMs > readAtMs - RACY_WINDOW_MS) return
      hashes.set(name, textOfStamp(stamp), key)
    },
    save: (options) => hashes.save(options),
  }
}
