// Owns .arrow files of tensor rows as a source; the parsing is in features/arrow-tensor.ts.
// Refuses files over 2 GB, which apache-arrow reads wrong.
import { open } from 'node:fs/promises'
import { endianness } from 'node:os'
import { HeadstartError, isHeadstartError, messageOf } from '../errors.js'
import type { TensorTable } from '../features/arrow-tensor.js'
import { readTensorTableInThread } from '../features/arrow-tensor-thread.js'
import { readBytes } from './read-bytes.js'
import { assertRowShape, rowBytesOf, type TensorSource } from './tensor.js'

const MAX_ARROW_BYTES = 2e9

export interface ArrowTensorSource extends TensorSource {
  readonly labels: TensorTable['labels']
  readonly splits: TensorTable['splits']
}

const readWhole = async (file: string): Promise<Uint8Array<ArrayBuffer>> => {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    if (size > MAX_ARROW_BYTES) {
      throw new HeadstartError('DATASET_INVALID', `${file} is larger than 2 GB; use .npy`)
    }
    // Moved to the parser's thread.
    return await readBytes(handle, size)
  } finally {
    await handle.close()
  }
}

/** A copy as little-endian bytes on every machine, NaN payloads included. */
const littleEndianBytes = (values: Float32Array): Uint8Array => {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  const copy = Buffer.alloc(bytes.length)
  bytes.copy(copy)
  return endianness() === 'LE' ? copy : copy.swap32()
}

/**
 * Opens an .arrow file of tensor rows; its values are in memory until it is closed.
 *
 * @throws INPUT_MISSING, DATASET_INVALID
 */
export const openArrowTensor = async (
  file: string,
  signal?: AbortSignal,
): Promise<ArrowTensorSource> => {
  const bytes = await readWhole(file).catch((cause: unknown) => {
    if (isHeadstartError(cause)) throw cause
    throw new HeadstartError('INPUT_MISSING', `cannot read ${file}: ${messageOf(cause)}`, { cause })
  })
  const table = await readTensorTableInThread(bytes, { signal }).catch((cause: unknown) => {
    if (!isHeadstartError(cause, 'DATASET_INVALID')) throw cause
    throw new HeadstartError('DATASET_INVALID', `${file}: ${cause.message}`, { cause })
  })
  assertRowShape(file, table.shape)
  const width = rowBytesOf(table.shape) / Float32Array.BYTES_PER_ELEMENT
  let values: Float32Array | undefined = table.values
  return {
    rows: table.rows,
    shape: table.shape,
    labels: table.labels,
    splits: table.splits,
    async readRows(start, count) {
      if (values === undefined) throw new HeadstartError('INTERNAL', `${file} was closed`)
      return littleEndianBytes(values.subarray(start * width, (start + count) * width))
    },
    async close() {
      values = undefined
    },
  }
}
