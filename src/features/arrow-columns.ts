// Owns building an Arrow IPC file from columns of plain values. Deterministic: the same values give
// the same bytes.
import {
  Bool,
  type Data,
  Field,
  FixedSizeBinary,
  Float32,
  Float64,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
} from 'apache-arrow'
import { canonicalJson, type JsonValue } from '../identity/canonical-json.js'

/** Under which the metadata of a file lies in its schema. */
export const METADATA_KEY = 'headstart'
const KEY_BYTES = 32

export interface Column {
  readonly field: Field
  readonly data: Data
}

/** A column without nulls. */
export const plainColumn = (name: string, data: Data): Column => ({
  field: new Field(name, data.type, false),
  data,
})

/** @param keys 64 hex characters each. */
export const keyColumn = (name: string, keys: readonly string[]): Column =>
  plainColumn(
    name,
    makeData({
      type: new FixedSizeBinary(KEY_BYTES),
      length: keys.length,
      nullCount: 0,
      data: new Uint8Array(Buffer.from(keys.join(''), 'hex')),
    }),
  )

export const intData = (values: readonly number[]): Data => {
  const data = Int32Array.from(values)
  return makeData({ type: new Int32(), length: values.length, nullCount: 0, data })
}
export const float32Data = (values: readonly number[]): Data => {
  const data = Float32Array.from(values)
  return makeData({ type: new Float32(), length: values.length, nullCount: 0, data })
}
export const float64Data = (values: readonly number[]): Data => {
  const data = Float64Array.from(values)
  return makeData({ type: new Float64(), length: values.length, nullCount: 0, data })
}

/** One bit a value, the lowest first. */
const bitsOf = (values: readonly boolean[]): Uint8Array => {
  const bits = new Uint8Array(Math.ceil(values.length / 8))
  values.forEach((value, i) => {
    if (value) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7))
  })
  return bits
}

export const boolColumn = (name: string, values: readonly boolean[]): Column => {
  const data = bitsOf(values)
  return plainColumn(
    name,
    makeData({ type: new Bool(), length: values.length, nullCount: 0, data }),
  )
}

const offsetsOf = (lengths: readonly number[]): Int32Array => {
  const offsets = new Int32Array(lengths.length + 1)
  lengths.forEach((length, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + length
  })
  return offsets
}

export const listColumn = (
  name: string,
  lists: readonly (readonly number[])[],
  childOf: (values: readonly number[]) => Data,
): Column => {
  const valueOffsets = offsetsOf(lists.map(({ length }) => length))
  const child = childOf(lists.flat())
  const type = new List(new Field('item', child.type, false))
  return plainColumn(
    name,
    makeData({ type, length: lists.length, nullCount: 0, valueOffsets, child }),
  )
}

const nullsOf = (values: readonly unknown[]) => ({
  nullCount: values.filter((value) => value === null).length,
  nullBitmap: bitsOf(values.map((value) => value !== null)),
})

/** Numbers, null where there is none. */
export const numberColumn = (name: string, values: readonly (number | null)[]): Column => ({
  field: new Field(name, new Float64(), true),
  data: makeData({
    type: new Float64(),
    length: values.length,
    ...nullsOf(values),
    data: Float64Array.from(values, (value) => value ?? 0),
  }),
})

/** Texts, null where there is none. */
export const textColumn = (name: string, values: readonly (string | null)[]): Column => {
  const parts = values.map((value) => Buffer.from(value ?? '', 'utf8'))
  return {
    field: new Field(name, new Utf8(), true),
    data: makeData({
      type: new Utf8(),
      length: values.length,
      ...nullsOf(values),
      valueOffsets: offsetsOf(parts.map(({ length }) => length)),
      data: new Uint8Array(Buffer.concat(parts)),
    }),
  }
}

/** An uncompressed Arrow IPC file; the metadata as canonical JSON under `headstart`. */
export const encodeColumns = (
  columns: readonly Column[],
  rows: number,
  metadata: JsonValue,
): Uint8Array => {
  const fields = columns.map(({ field }) => field)
  const schema = new Schema(fields, new Map([[METADATA_KEY, canonicalJson(metadata)]]))
  const children = columns.map(({ data }) => data)
  const type = new Struct(fields)
  const data = makeData({ type, length: rows, nullCount: 0, children })
  return tableToIPC(new Table([new RecordBatch(schema, data)]), 'file')
}
