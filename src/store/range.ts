// Owns what a byte range is, for all adapters.
import { HeadstartError } from '../errors.js'
import type { StoreKey } from './port.js'

/** @throws REQUEST_INVALID when start or length is no natural number. */
export const assertRange = (key: StoreKey, start: number, length: number): void => {
  for (const [name, value] of Object.entries({ start, length })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new HeadstartError('REQUEST_INVALID', `${key}: ${name} ${value} is no byte count`)
    }
  }
}
