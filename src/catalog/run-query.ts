// Owns which runs a listing shows and in what order: the same for the command line and the API. Pure.
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import {
  type FieldValue,
  fieldReader,
  isAscending,
  meansText,
  type NamedRun,
} from './run-fields.js'

const MAX_CONDITIONS = 20
const condition = z.string().min(1).max(400)

export const runQuerySchema = z.strictObject({
  sort: z.string().min(1).max(100).default('created').describe('field; best or newest first'),
  reverse: z.boolean().default(false),
  where: z
    .array(condition)
    .max(MAX_CONDITIONS)
    .default([])
    .describe('field=value; also !=, <, <=, >, >='),
  dataset: condition.optional().describe('name, id or path'),
  sweep: condition.optional().describe('id or the start of one'),
  limit: z.int().min(1).max(100_000).optional(),
})
export type RunQuery = z.output<typeof runQuerySchema>

const OPERATORS = ['!=', '<=', '>=', '=', '<', '>'] as const
type Operator = (typeof OPERATORS)[number]

const CONDITION = /^([\w.]+)\s*(!=|<=|>=|=|<|>)\s*(.+)$/s

const compareNumbers = (value: number, operator: Operator, given: number): boolean => {
  switch (operator) {
    case '=':
      return value === given
    case '!=':
      return value !== given
    case '<':
      return value < given
    case '<=':
      return value <= given
    case '>':
      return value > given
    case '>=':
      return value >= given
    default:
      return operator satisfies never
  }
}

const invalid = (message: string): HeadstartError => new HeadstartError('REQUEST_INVALID', message)

/** Times are given as ISO 8601. */
const numberOf = (field: string, text: string): number => {
  const value = field === 'created' ? Date.parse(text) : Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw invalid(
    `${field} is a ${field === 'created' ? 'time' : 'number'}; ${JSON.stringify(text.slice(0, 60))} is none`,
  )
}

const holds = (
  value: FieldValue,
  { field, operator, text }: { field: string; operator: Operator; text: string },
): boolean => {
  if (value === null) return operator === '!='
  if (typeof value === 'number') return compareNumbers(value, operator, numberOf(field, text))
  if (operator === '=') return meansText(value, text)
  if (operator === '!=') return !meansText(value, text)
  throw invalid(`${field} is a text: it can be compared with = and != only`)
}

type Test = (named: NamedRun) => boolean

const parseCondition = (given: string): Test => {
  const [, field = '', operator, text = ''] = CONDITION.exec(given) ?? []
  const known = OPERATORS.find((one) => one === operator)
  if (known === undefined)
    throw invalid(
      `${JSON.stringify(given.slice(0, 100))} is no condition: write field=value, e.g. kind=linear`,
    )
  const read = fieldReader(field)
  return (named) => holds(read(named), { field, operator: known, text: text.trim() })
}

const compareValues = (a: number | string, b: number | string): number => {
  if (a === b) return 0
  return a < b ? -1 : 1
}

const sortable = (value: FieldValue): number | string | null =>
  typeof value === 'number' || value === null ? value : (value[0] ?? null)

/**
 * The runs that a query asks for. Equal ones keep their order; runs without the field come last.
 *
 * @param sweep runs of the sweep that is asked for; null: all.
 * @throws REQUEST_INVALID for unknown fields and values that cannot be compared.
 */
export const selectRuns = <T extends NamedRun>(
  runs: readonly T[],
  query: RunQuery,
  sweep: ReadonlySet<Sha256> | null,
): T[] => {
  const conditions = [
    ...query.where,
    ...(query.dataset === undefined ? [] : [`dataset=${query.dataset}`]),
  ]
  const tests = conditions.map(parseCondition)
  const read = fieldReader(query.sort)
  const direction = isAscending(query.sort) === query.reverse ? -1 : 1
  return runs
    .filter(
      (named) =>
        (sweep === null || sweep.has(named.run.runId)) && tests.every((test) => test(named)),
    )
    .map((named) => ({ named, value: sortable(read(named)) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null)
        return Number(a.value === null) - Number(b.value === null)
      return direction * compareValues(a.value, b.value)
    })
    .slice(0, query.limit)
    .map(({ named }) => named)
}
