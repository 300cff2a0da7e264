// Owns the Arrow IPC file of a shard. Parses only bytes whose hash and length were checked before.
import {
  type Data,
  DataType,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
} from 'apache-arrow'
import { z } from 'zod'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import { canonicalJson } from '../identity/canonical-json.js'
import { type Shard, shardMetadataSchema, widthOf } from './shard.js'

const SHARD_VERSION = 1
const METADATA_KEY = 'headstart'
const KEY_BYTES = 32

/**
 * Encodes a shard as an uncompressed Arrow IPC file: `key: FixedSizeBinary[32]`,
 * `features: FixedSizeList<Float32>[width]`, metadata as canonical JSON under `headstart`.
 */
export const encodeShard = ({ metadata, keys, values }: Shard): Uint8Array => {
  const rows = keys.length
  const width = widthOf(metadata.featureShape)
  if (values.length !== rows * width)
    throw new RangeError(`a shard of ${rows} rows of ${width} has ${values.length} values`)
  const keyType = new FixedSizeBinary(KEY_BYTES)
  const itemField = new Field('item', new Float32(), false)
  const listType = new FixedSizeList(width, itemField)
  const keyData = makeData({
    type: keyType,
    length: rows,
    nullCount: 0,
    data: new Uint8Array(Buffer.from(keys.join(''), 'hex')),
  })
  const featureData = makeData({
    type: listType,
    length: rows,
    nullCount: 0,
    child: makeData({
      type: new Float32(),
      length: values.length,
      nullCount: 0,
      data: values,
    }),
  })
  const fields = [new Field('key', keyType, false), new Field('features', listType, false)]
  const schema = new Schema(fields, new Map([[METADATA_KEY, canonicalJson(metadata)]]))
  const children: Data[] = [keyData, featureData]
  const structData = makeData({
    type: new Struct(fields),
    length: rows,
    nullCount: 0,
    children,
  })
  return tableToIPC(new Table([new RecordBatch(schema, structData)]), 'file')
}

/** Length of the last bytes of a shard that tell where its features lie: footer length, magic. */
export const TAIL_BYTES = 10
const END_OF_STREAM_BYTES = 8
const ALIGNMENT = 8

/**
 * Where the features lie in a file of encodeShard, told by its end: they are its last buffer. A guess:
 * the file may be anything. What decodeShard says is true.
 *
 * @param tail the last TAIL_BYTES bytes of the file.
 * @returns of the first value, in bytes; null where the features cannot lie.
 */
export const featuresPositionOf = (
  tail: Uint8Array,
  fileBytes: number,
  featureBytes: number,
): number | null => {
  if (tail.length < TAIL_BYTES) return null
  const footer = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true)
  const padded = Math.ceil(featureBytes / ALIGNMENT) * ALIGNMENT
  const position = fileBytes - TAIL_BYTES - footer - END_OF_STREAM_BYTES - padded
  return footer >= 0 && position >= 0 ? position : null
}

const fail = (what: string, cause?: unknown): never => {
  throw new HeadstartError('FEATURES_CORRUPT', `the shard is no Headstart shard: ${what}`, {
    cause,
  })
}

/** What a later release wrote is not damage: it must not be thrown away. */
const assertKnownVersion = (json: unknown): void => {
  const { version } = z.object({ version: z.int() }).parse(json)
  if (version > SHARD_VERSION)
    throw new HeadstartError(
      'FEATURES_MISMATCH',
      `the shard has format ${version}, this release reads ${SHARD_VERSION}: upgrade Headstart`,
    )
}

const parseMetadata = (text: string | undefined) => {
  if (text === undefined) return fail('it has no metadata')
  try {
    const json: unknown = JSON.parse(text)
    assertKnownVersion(json)
    return shardMetadataSchema.parse(json)
  } catch (error) {
    if (isHeadstartError(error)) throw error
    return fail(`its metadata is broken (${messageOf(error)})`, error)
  }
}

/**
 * Decodes a shard without copying the features where their alignment allows it.
 *
 * @throws FEATURES_CORRUPT when the file is not a shard.
 */
export const decodeShard = (bytes: Uint8Array): Shard => {
  let table: Table
  try {
    table = tableFromIPC(bytes)
  } catch (error) {
    return fail(messageOf(error), error)
  }
  const metadata = parseMetadata(table.schema.metadata.get(METADATA_KEY))
  const width = widthOf(metadata.featureShape)
  const rows = table.numRows
  if (rows === 0) return { metadata, keys: [], values: new Float32Array(0) }
  const batch = table.batches[0]
  const keyData = batch?.getChild('key')?.data[0]
  const listData = batch?.getChild('features')?.data[0]
  const itemData = listData?.children[0]
  if (table.batches.length !== 1 || !keyData || !listData || !itemData)
    return fail('its columns are missing')
  const keyBytes: unknown = keyData.values
  const values: unknown = itemData.values
  const { type: listType } = listData
  if (!DataType.isFixedSizeList(listType) || listType.listSize !== width)
    return fail(`its features are not lists of ${width}`)
  if (!(keyBytes instanceof Uint8Array) || keyBytes.length < rows * KEY_BYTES)
    return fail('its keys are not 32 bytes each')
  if (!(values instanceof Float32Array) || values.length < rows * width)
    return fail(`its features are not ${width} float32 each`)
  const hex = Buffer.from(keyBytes.buffer, keyBytes.byteOffset, rows * KEY_BYTES).toString('hex')
  const keys = Array.from({ length: rows }, (_, row) => hex.slice(row * 64, row * 64 + 64))
  return { metadata, keys, values: values.subarray(0, rows * width) }
}
