// Owns the collection of a table's faults, so that all are reported at once with their rows.
import { HeadstartError } from '../errors.js'
import { listSome } from './source.js'

// A table of a hundred million bad rows must not fill the memory with messages.
const MAX_KEPT = 10_000

export interface Faults {
  /** @param row counts from 1, the header included; 0 is the table as a whole. */
  add(row: number, message: string): void
  /** @throws DATASET_INVALID with the first faults in the order of rows, when there is any. */
  assertNone(): void
}

/** @param table the name shown in the message. */
export const createFaults = (table: string): Faults => {
  const kept: { row: number; message: string }[] = []
  let count = 0
  return {
    add(row, message) {
      count += 1
      if (kept.length < MAX_KEPT) kept.push({ row, message })
    },
    assertNone() {
      if (count === 0) return
      const lines = kept
        .sort((a, b) => a.row - b.row)
        .map(({ row, message }) => (row === 0 ? message : `row ${row}: ${message}`))
      const details = listSome(lines)
      if (count > kept.length) details.push(`(${count} faults in all)`)
      const faults = count === 1 ? '1 fault' : `${count} faults`
      throw new HeadstartError('DATASET_INVALID', `${table} has ${faults}`, { details })
    },
  }
}
