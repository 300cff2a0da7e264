// Owns a look at the bytes of an ONNX file before they are parsed: everything but raw weights becomes
// objects in memory, many times its size, so that much of it is refused.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { HeadstartError } from '../../errors.js'
import { MAX_ONNX_ENTRIES, MAX_ONNX_STRUCTURE_BYTES } from '../base/limits.js'

type Inner = 'graph' | 'node' | 'tensor' | 'attribute' | 'raw'

/** Fields by number that hold another message, or raw data. */
const FIELDS: Readonly<Record<Exclude<Inner, 'raw'> | 'model', Readonly<Record<number, Inner>>>> = {
  model: { 7: 'graph' },
  graph: { 1: 'node', 5: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph' },
  tensor: { 9: 'raw' },
}

const MAX_DEPTH = 64

interface Found {
  entries: number
  rawBytes: number
}

const assertEntries = (found: Found): void => {
  found.entries += 1
  if (found.entries > MAX_ONNX_ENTRIES)
    throw new HeadstartError('BASE_TOO_LARGE', `the file has more than ${MAX_ONNX_ENTRIES} entries`)
}

const walk = (
  reader: BinaryReader,
  end: number,
  kind: keyof typeof FIELDS,
  found: Found,
  depth = 0,
): void => {
  if (depth > MAX_DEPTH) throw new HeadstartError('BASE_INVALID', 'the file is nested too deep')
  while (reader.pos < end) {
    const [field, wireType] = reader.tag()
    assertEntries(found)
    const inner = wireType === WireType.LengthDelimited ? FIELDS[kind][field] : undefined
    if (inner === undefined) {
      reader.skip(wireType, field)
    } else if (inner === 'raw') {
      found.rawBytes += reader.bytes().length
    } else {
      const length = reader.uint32()
      walk(reader, Math.min(reader.pos + length, reader.len), inner, found, depth + 1)
    }
  }
}

/**
 * Creates nothing but numbers. Bytes that are no such file may throw any error.
 *
 * @throws BASE_TOO_LARGE
 */
export const assertSmallStructure = (bytes: Uint8Array): void => {
  const found: Found = { entries: 0, rawBytes: 0 }
  const reader = new BinaryReader(bytes)
  walk(reader, reader.len, 'model', found)
  const structure = bytes.length - found.rawBytes
  if (structure > MAX_ONNX_STRUCTURE_BYTES)
    throw new HeadstartError(
      'BASE_TOO_LARGE',
      `the file has ${structure} bytes besides raw weights; the limit is ${MAX_ONNX_STRUCTURE_BYTES}`,
    )
}
