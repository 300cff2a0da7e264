// Owns the folds of cross-validation: a pure function of a sample's key, so that a sample stays in its
// fold when others come or go. Independent of the splits, which are cut from the key itself.
import { type Sha256, sha256 } from '../../identity/hash.js'

const TAG = 'headstart fold\n'
const LEADING_HEX = 12
const LEADING_RANGE = 2 ** 48

/** The fold of a sample, 0 .. count - 1, uniform over keys. */
export const foldOf = (key: Sha256, count: number): number => {
  const leading = Number.parseInt(sha256(TAG, key).slice(0, LEADING_HEX), 16)
  return Math.floor((leading / LEADING_RANGE) * count)
}
