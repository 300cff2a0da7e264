// Owns the file of remembered hashes: one text file a place, local to a machine.
// A hint, never the truth: readers check content again. What is broken in any way is ignored.
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SHA256_PATTERN, type Sha256, sha256 } from '../identity/hash.js'

export interface Remembered {
  readonly key: Sha256
  /** Tells that the content was not touched. One line without a double quote. */
  readonly stamp: string
}

export type RememberedByName = ReadonlyMap<string, Remembered>

export interface RememberedHashes {
  get(name: string, stamp: string): Sha256 | undefined
  set(name: string, stamp: string, key: Sha256): void
  /**
   * Writes the file when anything was set. Names that were neither got nor set stay: another
   * dataset in the same place has them. With `complete`, where they are the most by far, without
   * those of content that changed or is gone, so that the file cannot grow beyond the place.
   */
  save(options: { readonly complete: boolean }): Promise<void>
}

/** More untouched names for each touched one are looked at again, which costs requests. */
const MAX_UNTOUCHED_RATIO = 2
const HEADER = 'headstart hash cache 1'
// <sha256> <stamp> <name as a JSON string>
const LINE = /^([0-9a-f]{64}) ([^"]+) (".*")$/

/** The entries of a file; none when anything in it is not as it was written. */
const parseEntries = (text: string): Map<string, Remembered> => {
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

const formatEntries = (entries: RememberedByName): string => {
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

/**
 * Loads what is remembered about a place.
 *
 * @param cacheDir local folder of the caller; made when the hashes are saved.
 * @param place what the names are relative to.
 * @param stillTrue the entries whose content is still as it was when it was hashed.
 */
export const loadRememberedHashes = async (
  cacheDir: string,
  place: string,
  stillTrue: (entries: RememberedByName) => Promise<RememberedByName>,
): Promise<RememberedHashes> => {
  const file = join(cacheDir, `${sha256(place)}.txt`)
  const remembered = parseEntries(await readFile(file, 'utf8').catch(() => ''))
  const used = new Map<string, Remembered>()
  let changed = false
  return {
    get(name, stamp) {
      const entry = remembered.get(name)
      if (entry === undefined) return undefined
      if (entry.stamp !== stamp) {
        remembered.delete(name)
        return undefined
      }
      used.set(name, entry)
      return entry.key
    },
    set(name, stamp, key) {
      used.set(name, { key, stamp })
      changed = true
    },
    async save({ complete }) {
      if (!changed) return
      let untouched: RememberedByName = new Map([...remembered].filter(([name]) => !used.has(name)))
      if (complete && untouched.size > MAX_UNTOUCHED_RATIO * used.size)
        untouched = await stillTrue(untouched)
      await writeByRename(cacheDir, file, formatEntries(new Map([...untouched, ...used])))
    },
  }
}
