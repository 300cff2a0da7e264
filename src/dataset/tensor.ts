// Owns the contract of a tensor source: float32 rows that can be read by position.
import { HeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { sampleKeyOfRow } from '../identity/ids.js'

/** Bytes of one sample; what is larger is no sample. */
export const MAX_SAMPLE_BYTES = 512 * 1024 ** 2

export interface TensorSource {
  readonly rows: number
  /** Shape of one row. */
  readonly shape: readonly number[]
  /**
   * Little-endian float32 bytes of `count` rows, concatenated; the caller owns them.
   *
   * @throws DATASET_CHANGED when the file ends before those rows.
   */
  readRows(start: number, count: number): Promise<Uint8Array>
  close(): Promise<void>
}

/** @throws DATASET_INVALID when a row has no value or more bytes than a sample may have. */
export const assertRowShape = (file: string, shape: readonly number[]): void => {
  const bytes = shape.reduce((product, size) => product * size, 4)
  const sizesFit = shape.length > 0 && shape.every((size) => Number.isSafeInteger(size) && size > 0)
  if (sizesFit && bytes <= MAX_SAMPLE_BYTES) return
  throw new HeadstartError('DATASET_INVALID', `${file}: rows of shape [${shape}] cannot be samples`)
}

export const rowBytesOf = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT)

export const rowKeyOf = (shape: readonly number[], bytes: Uint8Array): Sha256 =>
  sampleKeyOfRow('float32', shape, bytes)
