// Owns the rows of labelled data, wherever they were written: their splits and their agreement.
// Refuses unknown splits, splits given for some rows only, and targets of differing length.
import type { Faults } from './faults.js'
import type { ParsedLabel } from './label.js'
import { type RawLabel, splitOfName } from './source.js'
import type { TargetKind } from './spec.js'
import type { Split } from './types.js'

export interface RawRow {
  /** Counts from 1, a CSV header included. */
  readonly row: number
  /** As written; '' where rows name no files. */
  readonly path: string
  readonly label: ParsedLabel
  /** As written; '' where there is none. */
  readonly split: string
}

export interface TableRow {
  readonly row: number
  readonly path: string
  readonly label: RawLabel
  readonly split: Split | undefined
}

export interface RowCollector {
  add(row: RawRow): void
  /** All rows; those with faults too, so that the caller finds more faults in them. */
  finish(): readonly TableRow[]
}

/** Collects rows and adds what is wrong with them to `faults`. */
export const createRowCollector = (target: TargetKind, faults: Faults): RowCollector => {
  const rows: TableRow[] = []
  let splitsGiven: boolean | undefined
  let firstValues: TableRow | undefined

  const checkSplit = (row: number, name: string): Split | undefined => {
    const split = splitOfName(name)
    const given = name !== ''
    if (given && split === undefined) {
      faults.add(row, `the split ${JSON.stringify(name)} is none of train, validation, test`)
    }
    splitsGiven ??= given
    if (given !== splitsGiven) faults.add(row, 'some rows have a split and others have none')
    return split
  }

  const checkLength = (added: TableRow): void => {
    firstValues ??= added
    if (added.label.length === firstValues.label.length) return
    const first = `row ${firstValues.row} has ${firstValues.label.length}`
    faults.add(added.row, `the label has ${added.label.length} values, but ${first}`)
  }

  return {
    add({ row, path, label, split }) {
      const faulty = 'fault' in label
      if (faulty) faults.add(row, label.fault)
      const added = { row, path, label: faulty ? [] : label.label, split: checkSplit(row, split) }
      if (target === 'regression' && !faulty) checkLength(added)
      rows.push(added)
    },
    finish: () => rows,
  }
}
