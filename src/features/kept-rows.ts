// Owns leaving rows of quarantined samples out of a block of features.
import type { Sha256 } from '../identity/hash.js'

/** Rows that stay, ascending; null when all do. */
export type KeptRows = Uint32Array | null

export const keptRowsOf = (keys: readonly Sha256[], excluded: ReadonlySet<Sha256>): KeptRows => {
  if (excluded.size === 0 || !keys.some((key) => excluded.has(key))) return null
  return Uint32Array.from(keys.flatMap((key, row) => (excluded.has(key) ? [] : [row])))
}

/**
 * Moves the rows that stay to the front.
 *
 * @param values [rows, width] row-major; written to.
 * @returns the rows that stay, [kept, width], in the memory of `values`.
 */
export const keepRows = (values: Float32Array, kept: KeptRows, width: number): Float32Array => {
  if (kept === null) return values
  // Each row moves to its own place or before it, so none is overwritten before it was moved.
  for (const [to, from] of kept.entries())
    if (to !== from) values.copyWithin(to * width, from * width, (from + 1) * width)
  return values.subarray(0, kept.length * width)
}
