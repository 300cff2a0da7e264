// Owns what every source yields, and which source a path is. Knows nothing of hashes.
import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import type { Split } from './types.js'

/** Class names or class numbers; for regression the values. Empty: no label (multi only). */
export type RawLabel = readonly (string | number)[]

/** One row or file of a source, before equal contents are joined. */
export interface RawEntry {
  /** Relative POSIX path, or `row-<n>`. */
  readonly name: string
  readonly label: RawLabel
  readonly split: Split | undefined
}

/** A raw entry whose content is a file; `path` is absolute and free of links, or the key of an object. */
export interface FileEntry extends RawEntry {
  readonly path: string
}

export interface KeyedEntry extends RawEntry {
  readonly key: Sha256
}

export interface FoundFiles {
  readonly entries: readonly FileEntry[]
  readonly notes: readonly string[]
}

export type SourceKind = 'folder' | 'csv' | 'jsonl' | 'npy' | 'arrow'

const KIND_OF_EXTENSION: Readonly<Record<string, Exclude<SourceKind, 'folder'>>> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.npy': 'npy',
  '.arrow': 'arrow',
}

/** Which source a file of that name is; undefined when none reads it. */
export const kindOfExtension = (name: string): Exclude<SourceKind, 'folder'> | undefined =>
  KIND_OF_EXTENSION[extname(name).toLowerCase()]

/**
 * Which source a path is, by what lies there and by its extension.
 *
 * @throws INPUT_MISSING when nothing is there; DATASET_INVALID when no source reads such a file.
 */
export const detectSource = async (path: string): Promise<SourceKind> => {
  const info = await stat(path).catch((cause: unknown) => {
    throw new HeadstartError('INPUT_MISSING', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  })
  if (info.isDirectory()) return 'folder'
  const kind = kindOfExtension(path)
  if (info.isFile() && kind !== undefined) return kind
  throw new HeadstartError(
    'DATASET_INVALID',
    `${path} is no folder and no .csv, .jsonl, .ndjson, .npy or .arrow file`,
  )
}

const SPLIT_OF_NAME: ReadonlyMap<string, Split> = new Map([
  ['train', 'train'],
  ['validation', 'validation'],
  ['valid', 'validation'],
  ['val', 'validation'],
  ['test', 'test'],
])

/** The split of a folder or column value; undefined when the name is none. */
export const splitOfName = (name: string): Split | undefined => SPLIT_OF_NAME.get(name)

const LISTED_ITEMS = 20

/** The first items and how many more there are: what is shown of a long list. */
export const listSome = (items: readonly string[]): string[] =>
  items.length <= LISTED_ITEMS
    ? [...items]
    : [...items.slice(0, LISTED_ITEMS), `... and ${items.length - LISTED_ITEMS} more`]
