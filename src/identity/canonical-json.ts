// Owns canonical JSON (RFC 8785, JSON Canonicalization Scheme): one text for one value.
// Refuses what JSON cannot hold: undefined, NaN, infinities, functions, lone surrogates, holes in
// arrays, and objects such as Date, Map and typed arrays.

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

const canonicalString = (value: string): string => {
  if (!value.isWellFormed()) throw new TypeError('canonical JSON: lone surrogate in a string')
  return JSON.stringify(value)
}

/**
 * The canonical text of a JSON value: object keys sorted by UTF-16 code units, no white space,
 * numbers and strings as ECMAScript writes them (RFC 8785, sections 3.2.2 and 3.2.3).
 *
 * @throws TypeError when the value is not JSON.
 */
export const canonicalJson = (value: JsonValue): string => {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`canonical JSON: ${value} is no JSON number`)
    return JSON.stringify(value)
  }
  if (typeof value !== 'object') throw new TypeError(`canonical JSON: ${typeof value} is no JSON`)
  // Array.from visits holes, map does not.
  if (Array.isArray(value)) return `[${Array.from(value, (item) => canonicalJson(item)).join(',')}]`
  if (Object.prototype.toString.call(value) !== '[object Object]')
    throw new TypeError('canonical JSON: an object that is no plain one')
  const object = value as { readonly [key: string]: JsonValue }
  const members = Object.keys(object)
    .sort()
    .map((key) => `${canonicalString(key)}:${canonicalJson(object[key] as JsonValue)}`)
  return `{${members.join(',')}}`
}
