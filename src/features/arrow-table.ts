// Owns the Arrow IPC file of a table of plain values: what a listing says, for other software.
import {
  boolColumn,
  type Column,
  encodeColumns,
  numberColumn,
  textColumn,
} from './arrow-columns.js'

/** A column of one kind; null where a row has no value. */
export type TableColumn = { readonly name: string } & (
  | { readonly kind: 'text'; readonly values: readonly (string | null)[] }
  | { readonly kind: 'number'; readonly values: readonly (number | null)[] }
  | { readonly kind: 'bool'; readonly values: readonly boolean[] }
)

const encodeColumn = (column: TableColumn): Column => {
  const { kind, name, values } = column
  switch (kind) {
    case 'text':
      return textColumn(name, values)
    case 'number':
      return numberColumn(name, values)
    case 'bool':
      return boolColumn(name, values)
    default:
      return kind satisfies never
  }
}

/** @param what what a row is, for the metadata of the file. */
export const encodeTable = (what: string, columns: readonly TableColumn[]): Uint8Array => {
  const rows = columns[0]?.values.length ?? 0
  if (columns.some(({ values }) => values.length !== rows))
    throw new RangeError('the columns of a table have different lengths')
  return encodeColumns(columns.map(encodeColumn), rows, { version: 1, what })
}
