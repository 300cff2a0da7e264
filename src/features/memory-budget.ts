// Owns how much memory features may take where nobody says: a share of what this process may use.
import { totalmem } from 'node:os'

/** The rest is for the engine, the head and everybody else. */
const MEMORY_SHARE = 0.7

/** Of the machine, or of the container when that has less, in bytes. */
export const defaultMemoryBytes = (): number => {
  // 0 where the system cannot tell; beyond all memory where there is no limit.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY
  return Math.floor(MEMORY_SHARE * Math.min(totalmem(), limit))
}
