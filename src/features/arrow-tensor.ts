// Owns parsing a user's Arrow file of tensor rows: one FixedSizeList<float32> column and labels.
// Broken metadata can hang the parser: run it in a thread with a deadline (arrow-tensor-thread.ts).
import {
  type Data,
  DataType,
  type Field,
  type FixedSizeList,
  Precision,
  type Table,
  tableFromIPC,
  type Vector,
} from 'apache-arrow'

export type ArrowLabel = string | number | readonly (string | number)[] | null

export interface TensorTable {
  /** [rows, ...shape], row-major; a copy with a buffer of its own. */
  readonly values: Float32Array<ArrayBuffer>
  readonly rows: number
  /** Shape of one row. */
  readonly shape: readonly number[]
  /** The column `label`; null when there is none. */
  readonly labels: readonly ArrowLabel[] | null
  /** The column `split`; null when there is none. */
  readonly splits: readonly (string | null)[] | null
}

const MAGIC = 'ARROW1'

const assertFileFormat = (bytes: Uint8Array): void => {
  const text = (part: Uint8Array) => Buffer.from(part).toString('latin1')
  const starts = text(bytes.subarray(0, MAGIC.length)) === MAGIC
  const ends = text(bytes.subarray(-MAGIC.length)) === MAGIC
  if (!starts || !ends) throw new Error('it is no Arrow IPC file (streams are not taken)')
}

const isFloatList = (field: Field): field is Field<FixedSizeList> => {
  if (!DataType.isFixedSizeList(field.type)) return false
  const item: DataType = field.type.valueType
  return DataType.isFloat(item) && item.precision === Precision.SINGLE
}

const findTensorField = (table: Table): Field<FixedSizeList> => {
  const fields = table.schema.fields.filter(isFloatList)
  const [field] = fields
  if (field === undefined || fields.length > 1) {
    const names = table.schema.fields.map(({ name, type }) => `${name}: ${type}`).join(', ')
    throw new Error(`it must have one column FixedSizeList<Float32>; it has ${names}`)
  }
  return field
}

const parseShape = (field: Field<FixedSizeList>): number[] => {
  const text = field.metadata.get('shape')
  const width = field.type.listSize
  if (text === undefined) return [width]
  const shape: unknown = JSON.parse(text)
  const sizes = Array.isArray(shape) ? shape.filter((size) => Number.isSafeInteger(size)) : []
  const product = sizes.reduce((total: number, size: number) => total * size, 1)
  if (!Array.isArray(shape) || sizes.length < shape.length || product !== width) {
    throw new Error(`the shape ${text.slice(0, 100)} does not fit rows of ${width} values`)
  }
  return sizes
}

const childValues = (chunk: Data<FixedSizeList>, width: number): Float32Array => {
  const child = chunk.children[0]
  if (child === undefined || !(child.values instanceof Float32Array)) {
    throw new Error('the tensor column has no values')
  }
  if (chunk.nullCount > 0 || child.nullCount > 0) throw new Error('the tensor column has nulls')
  const start = chunk.offset * width
  const values = child.values.subarray(start, start + chunk.length * width)
  if (values.length !== chunk.length * width) throw new Error('the tensor column is cut short')
  return values
}

const copyValues = (
  column: Vector,
  width: number,
  fileBytes: number,
): Float32Array<ArrayBuffer> => {
  // A broken length must not allocate more than the file could hold.
  if (column.length * width * Float32Array.BYTES_PER_ELEMENT > fileBytes) {
    throw new Error('the tensor column is cut short')
  }
  const values = new Float32Array(column.length * width)
  let position = 0
  for (const chunk of column.data) {
    const part = childValues(chunk as Data<FixedSizeList>, width)
    values.set(part, position)
    position += part.length
  }
  return values
}

const toLabel = (value: unknown): ArrowLabel => {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'object' && Symbol.iterator in value) {
    return Array.from(value as Iterable<unknown>, (item) => {
      const label = toLabel(item)
      if (typeof label !== 'string' && typeof label !== 'number') {
        throw new Error('the column label has lists with nulls or lists in them')
      }
      return label
    })
  }
  throw new Error(`the column label has values of type ${typeof value}`)
}

const toSplit = (value: unknown): string | null => {
  if (value === null || value === undefined) return null
  if (typeof value !== 'string') throw new Error('the column split is no text')
  return value
}

const mapColumn = <T>(column: Vector | null, map: (value: unknown) => T): T[] | null =>
  column === null
    ? null
    : Array.from({ length: column.length }, (_, row) => map(column.get(row) as unknown))

/**
 * Parses an Arrow IPC file with one FixedSizeList<Float32> column (field metadata `shape` gives the
 * rows a rank, e.g. "[7,7,320]"), `label` and optionally `split`.
 *
 * @throws Error when the bytes are no such file; or hangs.
 */
export const readTensorTable = (bytes: Uint8Array): TensorTable => {
  assertFileFormat(bytes)
  const table = tableFromIPC(bytes)
  const field = findTensorField(table)
  const column = table.getChild(field.name)
  if (column === null) throw new Error('the tensor column is missing')
  return {
    values: copyValues(column, field.type.listSize, bytes.length),
    rows: column.length,
    shape: parseShape(field),
    labels: mapColumn(table.getChild('label'), toLabel),
    splits: mapColumn(table.getChild('split'), toSplit),
  }
}
