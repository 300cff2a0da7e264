// Owns what a label may be for each target, written as text (CSV) or as a value (JSON, Arrow).
// Refuses empty labels, targets that are not finite numbers, and classes that are fractions.
import type { RawLabel } from './source.js'
import type { TargetKind } from './spec.js'

/** A label, or the fault to report for its row. */
export type ParsedLabel = { readonly label: RawLabel } | { readonly fault: string }

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const SEPARATOR = '|'
const SHOWN_CHARACTERS = 60

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text
}

const parseClass = (value: unknown): string | number | undefined => {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined
  if (typeof value !== 'string' || !value.isWellFormed()) return undefined
  const name = value.trim()
  return name === '' ? undefined : name
}

const parseSingle = (value: unknown): ParsedLabel => {
  const name = parseClass(value)
  if (name !== undefined) return { label: [name] }
  if (typeof value === 'string') return { fault: 'the label is empty' }
  return { fault: `the label ${shown(value)} is no class name and no whole number` }
}

const parseMulti = (value: unknown): ParsedLabel => {
  if (!Array.isArray(value))
    return { fault: `the label ${shown(value)} is no array of class names` }
  const names = new Set<string | number>()
  for (const item of value) {
    const name = parseClass(item)
    if (name === undefined) return { fault: `the label ${shown(value)} holds an empty class name` }
    names.add(name)
  }
  return { label: [...names] }
}

const parseRegression = (value: unknown): ParsedLabel => {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  if (values.length === 0) return { fault: 'the label is empty' }
  const numbers = values.filter((item) => typeof item === 'number' && Number.isFinite(item))
  if (numbers.length < values.length) {
    return { fault: `the label ${shown(value)} is no finite number` }
  }
  return { label: numbers as number[] }
}

/** Parses a label that has types: a string, a number or an array of either. */
export const parseLabelValue = (target: TargetKind, value: unknown): ParsedLabel => {
  if (target === 'single') return parseSingle(value)
  return target === 'multi' ? parseMulti(value) : parseRegression(value)
}

/** Parses the cell of a CSV table: `cat`, `cat|dog` for multi, `1.5|2.5` for regression. */
export const parseLabelText = (target: TargetKind, cell: string): ParsedLabel => {
  const text = cell.trim()
  if (target === 'single') return parseSingle(text)
  if (target === 'multi') return parseMulti(text === '' ? [] : text.split(SEPARATOR))
  if (text === '') return { fault: 'the label is empty' }
  const parts = text.split(SEPARATOR).map((part) => part.trim())
  if (!parts.every((part) => DECIMAL.test(part))) {
    return { fault: `the label ${shown(text)} is no number` }
  }
  return parseRegression(parts.map(Number))
}
