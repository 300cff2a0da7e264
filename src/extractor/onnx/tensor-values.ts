// Owns the values of tensors: how many there are, whether all their bytes are there, whether they are
// finite; reading float32 values and writing them back.
import { HeadstartError } from '../../errors.js'
import { changed } from './model.js'
import {
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  type TensorProto,
} from './onnx_pb.js'

/** Bytes of one value where the file keeps them raw. Types that are not here are not looked into. */
const BYTES: Readonly<Record<number, number>> = {
  [DataType.FLOAT]: 4,
  [DataType.UINT8]: 1,
  [DataType.INT8]: 1,
  [DataType.UINT16]: 2,
  [DataType.INT16]: 2,
  [DataType.INT32]: 4,
  [DataType.INT64]: 8,
  [DataType.BOOL]: 1,
  [DataType.FLOAT16]: 2,
  [DataType.DOUBLE]: 8,
  [DataType.UINT32]: 4,
  [DataType.UINT64]: 8,
  [DataType.BFLOAT16]: 2,
}

/** Values that the shape of a tensor says; 1 for a scalar, infinite where it is no shape. */
export const elementsOf = ({ dims }: Pick<TensorProto, 'dims'>): number =>
  dims.reduce((product, size) => (size < 0n ? Number.POSITIVE_INFINITY : product * Number(size)), 1)

/** Bytes of a tensor where the file keeps them raw; null for types that are not looked into. */
export const rawBytesOf = (tensor: Pick<TensorProto, 'dims' | 'dataType'>): number | null => {
  const size = BYTES[tensor.dataType]
  return size === undefined ? null : elementsOf(tensor) * size
}

/** A view of bytes as numbers of a size; a copy where they are not aligned for it. */
const aligned = (bytes: Uint8Array, size: number): Uint8Array =>
  bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)

const rawFloats = (raw: Uint8Array): Float32Array => {
  const bytes = aligned(raw, 4)
  return new Float32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / 4))
}

const rawHalves = (raw: Uint8Array): Uint16Array => {
  const bytes = aligned(raw, 2)
  return new Uint16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / 2))
}

const rawDoubles = (raw: Uint8Array): Float64Array => {
  const bytes = aligned(raw, 8)
  return new Float64Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.byteLength / 8))
}

/** @returns null when it is no float32 tensor. */
export const floatsOf = (tensor: TensorProto): Float32Array | null => {
  if (tensor.dataType !== DataType.FLOAT) return null
  return tensor.floatData.length > 0
    ? Float32Array.from(tensor.floatData)
    : rawFloats(tensor.rawData)
}

/** The tensor with other float32 values of the same shape. */
export const withFloats = (tensor: TensorProto, values: Float32Array): TensorProto =>
  changed(tensor, {
    dataType: DataType.FLOAT,
    floatData: [],
    rawData: new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength),
  })

const allFinite = (values: Float32Array | Float64Array | readonly number[]): boolean => {
  for (let i = 0; i < values.length; i += 1) if (!Number.isFinite(values[i])) return false
  return true
}

const EXPONENT = 0x7c00
const allFiniteHalves = (values: Uint16Array | readonly number[]): boolean => {
  for (let i = 0; i < values.length; i += 1)
    if (((values[i] as number) & EXPONENT) === EXPONENT) return false
  return true
}

const hasFiniteValues = ({
  dataType,
  rawData,
  floatData,
  doubleData,
  int32Data,
}: TensorProto): boolean => {
  switch (dataType) {
    case DataType.FLOAT:
      return allFinite(floatData) && allFinite(rawFloats(rawData))
    case DataType.DOUBLE:
      return allFinite(doubleData) && allFinite(rawDoubles(rawData))
    case DataType.FLOAT16:
      return allFiniteHalves(int32Data) && allFiniteHalves(rawHalves(rawData))
    default:
      return true
  }
}

/** @throws BASE_WEIGHTS_INVALID for data that is elsewhere, not all there, or not finite. */
export const assertTensor = (tensor: TensorProto): void => {
  const { name, dataLocation, rawData, externalData } = tensor
  const invalid = (what: string): HeadstartError =>
    new HeadstartError('BASE_WEIGHTS_INVALID', `the weight ${JSON.stringify(name)} ${what}`)
  if (dataLocation === DataLocation.EXTERNAL || externalData.length > 0)
    throw invalid('has its data in a file that was not brought inside')
  const expected = rawBytesOf(tensor)
  if (rawData.length > 0 && expected !== null && rawData.length !== expected)
    throw invalid(`has ${rawData.length} bytes, ${expected} expected`)
  if (!hasFiniteValues(tensor)) throw invalid('has values that are not finite')
}
