// Owns the conversion of .npy values to numbers and to little-endian float32 bytes. Pure.
import { NPY_DTYPES, type NpyDtype } from './npy-header.js'

/** IEEE 754 binary16 to a number. */
export const float16ToNumber = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}

const READERS: Readonly<Record<NpyDtype, (view: DataView, offset: number) => number>> = {
  '<f4': (view, offset) => view.getFloat32(offset, true),
  '<f8': (view, offset) => view.getFloat64(offset, true),
  '<f2': (view, offset) => float16ToNumber(view.getUint16(offset, true)),
  '|u1': (view, offset) => view.getUint8(offset),
  '<i4': (view, offset) => view.getInt32(offset, true),
  '<i8': (view, offset) => Number(view.getBigInt64(offset, true)),
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The values as numbers; int64 beyond 2^53 loses digits. */
export const npyValuesToNumbers = (dtype: NpyDtype, bytes: Uint8Array): Float64Array => {
  const size = NPY_DTYPES[dtype]
  const read = READERS[dtype]
  const view = viewOf(bytes)
  return Float64Array.from({ length: bytes.length / size }, (_, index) => read(view, index * size))
}

/** The values as little-endian float32 bytes. float32 passes through, NaN payloads included. */
export const npyValuesToFloat32 = (dtype: NpyDtype, bytes: Uint8Array): Uint8Array => {
  if (dtype === '<f4') return bytes
  const size = NPY_DTYPES[dtype]
  const read = READERS[dtype]
  const source = viewOf(bytes)
  const result = new Uint8Array((bytes.length / size) * Float32Array.BYTES_PER_ELEMENT)
  const target = viewOf(result)
  for (let from = 0, to = 0; from < bytes.length; from += size, to += 4) {
    target.setFloat32(to, read(source, from), true)
  }
  return result
}
