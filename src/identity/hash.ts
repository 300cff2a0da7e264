// Owns SHA-256 and the hashed identities of values. Ids are 64 lower-case hex characters.
import { createHash } from 'node:crypto'
import { canonicalJson, type JsonValue } from './canonical-json.js'

/** 64 lower-case hex characters. */
export type Sha256 = string

export const SHA256_PATTERN = /^[0-9a-f]{64}$/

export const sha256 = (...parts: readonly (Uint8Array | string)[]): Sha256 => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

/** SHA-256 over the canonical JSON of a value. */
export const sha256OfJson = (value: JsonValue): Sha256 => sha256(canonicalJson(value))

/** For display only; never for identity. */
export const shortId = (id: Sha256): string => id.slice(0, 12)
