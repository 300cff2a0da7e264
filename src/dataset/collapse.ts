// Owns joining equal contents: many named entries become unique samples in the order of keys. Pure.
// Content that was given different labels is left out and named in the notes, never guessed.
import type { Sha256 } from '../identity/hash.js'
import { type KeyedEntry, listSome, type RawLabel } from './source.js'
import type { TargetKind } from './spec.js'
import type { Split } from './types.js'

/** One distinct content, its label still as written. */
export interface Joined {
  readonly key: Sha256
  readonly names: readonly string[]
  readonly label: RawLabel
  readonly split: Split | undefined
}

export interface Collapsed {
  /** Sorted by key. */
  readonly samples: readonly Joined[]
  readonly notes: readonly string[]
}

const byName = (a: KeyedEntry, b: KeyedEntry): number => {
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}

/** Entries of equal content, in the order of names; the groups in the order of keys. */
const groupByKey = (entries: readonly KeyedEntry[]): (readonly KeyedEntry[])[] => {
  const groups = new Map<Sha256, KeyedEntry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.key)
    if (group === undefined) groups.set(entry.key, [entry])
    else group.push(entry)
  }
  const keys = [...groups.keys()].sort()
  return keys.map((key) => (groups.get(key) ?? []).sort(byName))
}

// A class may be written as a number in one row and as text in another.
const labelText = (label: RawLabel): string => JSON.stringify(label.map(String))

const STRICTNESS: Readonly<Record<Split, number>> = { train: 0, validation: 1, test: 2 }

const strictestSplit = (group: readonly KeyedEntry[]): Split | undefined =>
  group.reduce<Split | undefined>((strictest, { split }) => {
    if (split === undefined || strictest === undefined) return strictest ?? split
    return STRICTNESS[split] > STRICTNESS[strictest] ? split : strictest
  }, undefined)

const joinLabels = (group: readonly KeyedEntry[], target: TargetKind): RawLabel | undefined => {
  const [first] = group
  if (first === undefined || group.length === 1) return first?.label
  if (target === 'multi') return [...new Set(group.flatMap(({ label }) => label))]
  const text = labelText(first.label)
  return group.every(({ label }) => labelText(label) === text) ? first.label : undefined
}

const describe = (group: readonly KeyedEntry[], of: (entry: KeyedEntry) => string): string =>
  listSome(group.map((entry) => `${entry.name} (${of(entry)})`)).join(', ')

/** Joins entries of equal content into samples. */
export const collapse = (entries: readonly KeyedEntry[], target: TargetKind): Collapsed => {
  const samples: Joined[] = []
  const conflicts: string[] = []
  const acrossSplits: string[] = []
  let repeats = 0
  for (const group of groupByKey(entries)) {
    const [first] = group
    if (first === undefined) continue
    const label = joinLabels(group, target)
    if (label === undefined) {
      conflicts.push(describe(group, (entry) => entry.label.join('|')))
      continue
    }
    const names = [...new Set(group.map(({ name }) => name))]
    const split = strictestSplit(group)
    repeats += names.length - 1
    if (group.some((entry) => entry.split !== split)) {
      acrossSplits.push(
        `${describe(group, (entry) => entry.split ?? 'no split')}: kept in ${split}`,
      )
    }
    samples.push({ key: first.key, names, label, split })
  }
  const notes: string[] = []
  if (repeats > 0) notes.push(`equal contents were joined: ${repeats} names more than samples`)
  notes.push(
    ...listSome(conflicts).map((text) => `left out, equal content with different labels: ${text}`),
  )
  notes.push(...listSome(acrossSplits).map((text) => `equal content in several splits: ${text}`))
  return { samples, notes }
}
