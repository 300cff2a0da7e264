// Owns the remembered hashes of a dataset's files, one text file a dataset root, local to a machine.
// A hint, never the truth: readers check content again. What is broken in any way is ignored.
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SHA256_PATTERN, type Sha256, sha256 } from '../identity/hash.js'
import { eachBounded } from './each-bounded.js'

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
  /**
   * Writes the cache when anything was set. Names that were neither got nor set stay: another
   * dataset in the same folder has them. With `complete`, where they are the most by far, without
   * those of files that changed or are gone, so that the cache cannot grow beyond the folder.
   */
  save(options: { readonly complete: boolean }): Promise<void>
}

const RACY_WINDOW_MS = 2000
/** More untouched names for each touched one are looked at again, which costs a `stat` each. */
const MAX_UNTOUCHED_RATIO = 2
const PARALLEL_STATS = 16
const HEADER = 'headstart hash cache 1'
// <sha256> <size> <mtimeNs> <inode> <name as a JSON string>
const LINE = /^([0-9a-f]{64}) (\d+ \d+ \d+) (".*")$/

interface Remembered {
  readonly key: Sha256
  readonly stamp: string
}

const textOfStamp = ({ size, mtimeNs, ino }: FileStamp): string => `${size} ${mtimeNs} ${ino}`

/** The entries of a cache file; none when anything in it is not as it was written. */
const parseCache = (text: string): Map<string, Remembered> => {
  const entries = new Map<string, Remembered>()
  const end = text.lastIndexOf('\n', text.length - 2) + 1
  const body = text.slice(0, end)
  const sum = text.slice(end, -1)
  if (!SHA256_PATTERN.test(sum) || sum !== sha256(body)) return entries
  const [header, ...lines] = body.trimEnd().split('\n')
  if (header !== HEADER) return entries
  for (const line of lines) {
    const [, key, stamp, name] = LINE.exec(line) ?? []
    if (key !== undefined && stamp !== undefined && name !== undefined) {
      entries.set(JSON.parse(name) as string, { key, stamp })
    }
  }
  return entries
}

const formatCache = (entries: ReadonlyMap<string, Remembered>): string => {
  const lines = Array.from(
    entries,
    ([name, { key, stamp }]) => `${key} ${stamp} ${JSON.stringify(name)}`,
  )
  const body = `${[HEADER, ...lines.sort()].join('\n')}\n`
  return `${body}${sha256(body)}\n`
}

const writeByRename = async (folder: string, file: string, text: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const temporary = `${file}.${randomUUID()}.tmp`
  try {
    await writeFile(temporary, text)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The entries whose files are still as they were when they were hashed. */
const stillTrue = async (
  root: string,
  entries: ReadonlyMap<string, Remembered>,
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
  const file = join(cacheDir, `${sha256(root)}.txt`)
  const text = await readFile(file, 'utf8').catch(() => '')
  const remembered = parseCache(text)
  const used = new Map<string, Remembered>()
  let changed = false
  return {
    get(name, stamp) {
      const entry = remembered.get(name)
      if (entry === undefined) return undefined
      if (entry.stamp !== textOfStamp(stamp)) {
        remembered.delete(name)
        return undefined
      }
      used.set(name, entry)
      return entry.key
    },
    set(name, stamp, key, readAtMs) {
      const modifiedMs = Number(stamp.mtimeNs / 1_000_000n)
      if (stamp.mtimeNs < 0n || modifiedMs > readAtMs - RACY_WINDOW_MS) return
      used.set(name, { key, stamp: textOfStamp(stamp) })
      changed = true
    },
    async save({ complete }) {
      if (!changed) return
      let untouched = new Map([...remembered].filter(([name]) => !used.has(name)))
      if (complete && untouched.size > MAX_UNTOUCHED_RATIO * used.size)
        untouched = await stillTrue(root, untouched)
      await writeByRename(cacheDir, file, formatCache(new Map([...untouched, ...used])))
    },
  }
}
