// Owns .npy files on disk: rows by position, so that a large file is never loaded whole.
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { HeadstartError, messageOf } from '../errors.js'
import { NPY_DTYPES, NPY_PREFIX_BYTES, type NpyHeader, parseNpyHeader } from './npy-header.js'
import { npyValuesToFloat32, npyValuesToNumbers } from './npy-values.js'
import { assertRowShape, type TensorSource } from './tensor.js'

/** Reads exactly `length` bytes; fewer only at the end of the file. */
const readAt = async (handle: FileHandle, position: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

const openNpy = async (file: string): Promise<{ handle: FileHandle; header: NpyHeader }> => {
  const handle = await open(file).catch((cause: unknown) => {
    throw new HeadstartError('INPUT_MISSING', `cannot read ${file}: ${messageOf(cause)}`, { cause })
  })
  try {
    const { size } = await handle.stat()
    const prefix = await readAt(handle, 0, Math.min(size, NPY_PREFIX_BYTES))
    return { handle, header: parseNpyHeader(file, prefix, size) }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * Opens a .npy file whose first axis is the rows.
 *
 * @throws INPUT_MISSING, DATASET_INVALID
 */
export const openNpyTensor = async (file: string): Promise<TensorSource> => {
  const { handle, header } = await openNpy(file)
  const [rows = 0, ...shape] = header.shape
  try {
    assertRowShape(file, shape)
  } catch (error) {
    await handle.close()
    throw error
  }
  const rowBytes = shape.reduce((product, size) => product * size, NPY_DTYPES[header.dtype])
  return {
    rows,
    shape,
    async readRows(start, count) {
      const bytes = await readAt(handle, header.dataOffset + start * rowBytes, count * rowBytes)
      if (bytes.length < count * rowBytes) {
        throw new HeadstartError('DATASET_CHANGED', `${file} became shorter since it was opened`)
      }
      return npyValuesToFloat32(header.dtype, bytes)
    },
    close: () => handle.close(),
  }
}

const MAX_LABEL_BYTES = 1024 ** 3

/**
 * Reads a small .npy file whole: labels, [rows] or [rows, outputs].
 *
 * @throws INPUT_MISSING, DATASET_INVALID
 */
export const readNpyNumbers = async (
  file: string,
): Promise<{ readonly shape: readonly number[]; readonly values: Float64Array }> => {
  const { handle, header } = await openNpy(file)
  try {
    const bytes = header.shape.reduce((product, size) => product * size, NPY_DTYPES[header.dtype])
    if (bytes > MAX_LABEL_BYTES) {
      throw new HeadstartError('DATASET_INVALID', `${file} is too large for labels`)
    }
    const values = npyValuesToNumbers(header.dtype, await readAt(handle, header.dataOffset, bytes))
    return { shape: header.shape, values }
  } finally {
    await handle.close()
  }
}
