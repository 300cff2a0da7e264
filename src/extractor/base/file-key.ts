// Owns where the files of a base lie in the store.
import type { Sha256 } from '../../identity/hash.js'
import type { StoreKey } from '../../store/port.js'

/** Files lie under their own hash, so that two registrations of one base never collide. */
export const baseFileKey = (baseId: Sha256, fileSha256: Sha256): StoreKey =>
  `bases/${baseId}/${fileSha256}`
