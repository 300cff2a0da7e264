// Owns the Arrow IPC file of a dataset's index: key, names, label, split; one row a sample.
// Deterministic: the same rows give the same bytes. Parses only bytes whose hash was checked before.
import {
  type Data,
  Field,
  FixedSizeBinary,
  Float64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
} from 'apache-arrow'

export interface IndexRow {
  /** 64 lower-case hex characters. */
  readonly key: string
  readonly names: readonly string[]
  readonly label: readonly number[]
  readonly split: string
}

const KEY_BYTES = 32
const LISTS = {
  names: new List(new Field('item', new Utf8(), false)),
  label: new List(new Field('item', new Float64(), false)),
}

/** Offsets of consecutive parts of the given lengths: one more than there are parts. */
const offsetsOf = (lengths: readonly number[]): Int32Array => {
  const offsets = new Int32Array(lengths.length + 1)
  let end = 0
  lengths.forEach((length, index) => {
    end += length
    offsets[index + 1] = end
  })
  if (end > 2 ** 31 - 1) throw new RangeError('the index of the dataset exceeds 2 GiB')
  return offsets
}

const textData = (texts: readonly string[]): Data<Utf8> => {
  const parts = texts.map((text) => Buffer.from(text, 'utf8'))
  return makeData({
    type: new Utf8(),
    length: texts.length,
    nullCount: 0,
    valueOffsets: offsetsOf(parts.map((part) => part.length)),
    data: new Uint8Array(Buffer.concat(parts)),
  })
}

const namesData = (rows: readonly IndexRow[]): Data =>
  makeData({
    type: LISTS.names,
    length: rows.length,
    nullCount: 0,
    valueOffsets: offsetsOf(rows.map(({ names }) => names.length)),
    child: textData(rows.flatMap(({ names }) => names)),
  })

const labelData = (rows: readonly IndexRow[]): Data => {
  const values = Float64Array.from(rows.flatMap(({ label }) => label))
  return makeData({
    type: LISTS.label,
    length: rows.length,
    nullCount: 0,
    valueOffsets: offsetsOf(rows.map(({ label }) => label.length)),
    child: makeData({ type: new Float64(), length: values.length, nullCount: 0, data: values }),
  })
}

/**
 * Encodes the index as an uncompressed Arrow IPC file: `key: FixedSizeBinary[32]`,
 * `names: List<Utf8>`, `label: List<Float64>`, `split: Utf8`.
 */
export const encodeDatasetIndex = (rows: readonly IndexRow[]): Uint8Array => {
  const keyType = new FixedSizeBinary(KEY_BYTES)
  const keyBytes = new Uint8Array(Buffer.from(rows.map(({ key }) => key).join(''), 'hex'))
  const keyData = makeData({ type: keyType, length: rows.length, nullCount: 0, data: keyBytes })
  const fields = [
    new Field('key', keyType, false),
    new Field('names', LISTS.names, false),
    new Field('label', LISTS.label, false),
    new Field('split', new Utf8(), false),
  ]
  const children: Data[] = [
    keyData,
    namesData(rows),
    labelData(rows),
    textData(rows.map(({ split }) => split)),
  ]
  const type = new Struct(fields)
  const data = makeData({ type, length: rows.length, nullCount: 0, children })
  return tableToIPC(new Table([new RecordBatch(new Schema(fields), data)]), 'file')
}

const sliceList = <T>(values: readonly T[], offsets: Int32Array, row: number): readonly T[] =>
  values.slice(offsets[row], offsets[row + 1])

const textsOf = (data: Data): string[] => {
  const bytes = Buffer.from(data.values.buffer, data.values.byteOffset, data.values.byteLength)
  return Array.from({ length: data.length }, (_, index) =>
    bytes.toString('utf8', data.valueOffsets[index], data.valueOffsets[index + 1]),
  )
}

/** @throws Error when the bytes are no index. */
export const decodeDatasetIndex = (bytes: Uint8Array): IndexRow[] => {
  const [batch, ...more] = tableFromIPC(bytes).batches
  if (batch === undefined) return []
  const [keys, names, label, split] = ['key', 'names', 'label', 'split'].map(
    (name) => batch.getChild(name)?.data[0],
  )
  const nameTexts = names?.children[0]
  const labelValues = label?.children[0]
  if (!keys || !names || !nameTexts || !label || !labelValues || !split || more.length > 0) {
    throw new Error('the index of the dataset has other columns')
  }
  const hex = Buffer.from(keys.values.buffer, keys.values.byteOffset, keys.values.byteLength)
  const allNames = textsOf(nameTexts)
  const allLabels = Array.from(labelValues.values as Float64Array)
  const splits = textsOf(split)
  return splits.map((splitName, row) => ({
    key: hex.toString('hex', row * KEY_BYTES, (row + 1) * KEY_BYTES),
    names: sliceList(allNames, names.valueOffsets, row),
    label: sliceList(allLabels, label.valueOffsets, row),
    split: splitName,
  }))
}
