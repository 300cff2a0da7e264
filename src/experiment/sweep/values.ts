// Owns checking the values that a field may take in a sweep, one by one, each fault with its path.
import type { z } from 'zod'
import type { JsonValue } from '../../identity/canonical-json.js'
import { FIELDS } from './fields.js'

type Issues = readonly z.core.$ZodIssue[]

/** Tells the faults of a part as faults of the whole. */
export const forward = (
  issues: Issues,
  context: z.RefinementCtx,
  at: readonly PropertyKey[] = [],
): void => {
  for (const issue of issues)
    context.issues.push({ ...issue, path: [...at, ...issue.path] } as z.core.$ZodRawIssue)
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const refuse = (
  context: z.RefinementCtx,
  path: readonly PropertyKey[],
  message: string,
): void => context.addIssue({ code: 'custom', path: [...path], message })

/** Checks one value of a field, whatever the kind of head: what any kind takes may stand. */
export const checkValue = (
  field: string,
  value: unknown,
  context: z.RefinementCtx,
  path: readonly PropertyKey[],
): void => {
  const results = (FIELDS.get(field) ?? []).map((schema) => schema.safeParse(value))
  if (results.some(({ success }) => success)) return
  forward(results[0]?.error?.issues ?? [], context, path)
}

/** The members of what varies, by field; unknown fields and a missing kind are told. */
export const membersOf = (
  input: unknown,
  context: z.RefinementCtx,
  path: readonly PropertyKey[],
): [string, unknown][] => {
  if (!isObject(input)) {
    refuse(context, path, 'expected an object: for every field its values')
    return []
  }
  if (!Object.hasOwn(input, 'kind')) refuse(context, [...path, 'kind'], 'missing (a kind of head)')
  return Object.entries(input).filter(([field]) => {
    if (FIELDS.has(field)) return true
    refuse(context, [...path, field], `no such field; there are ${[...FIELDS.keys()].join(', ')}`)
    return false
  })
}

/** A list of values, or one value without brackets, as a list. */
export const checkList = (
  field: string,
  input: unknown,
  context: z.RefinementCtx,
  path: readonly PropertyKey[],
): readonly JsonValue[] => {
  const values: readonly unknown[] = Array.isArray(input) ? input : [input]
  if (values.length === 0) refuse(context, path, 'an empty list: no head is left')
  values.forEach((value, index) => {
    checkValue(field, value, context, Array.isArray(input) ? [...path, index] : path)
  })
  return values as readonly JsonValue[]
}
