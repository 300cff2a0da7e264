// Owns the header of a .npy file, versions 1 to 3 (numpy.lib.format), from untrusted bytes.
// Refuses Fortran order, dtypes that are not listed, headers over 64 KiB, and what is not exact.
import { HeadstartError } from '../errors.js'

/** Bytes of one value. */
export const NPY_DTYPES = { '<f4': 4, '<f8': 8, '<f2': 2, '|u1': 1, '<i4': 4, '<i8': 8 } as const
export type NpyDtype = keyof typeof NPY_DTYPES

export interface NpyHeader {
  readonly dtype: NpyDtype
  readonly shape: readonly number[]
  /** Where the values begin. */
  readonly dataOffset: number
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1')
const MAX_HEADER_BYTES = 64 * 1024
/** Enough of a file's beginning to hold any header that is taken. */
export const NPY_PREFIX_BYTES = MAGIC.length + 6 + MAX_HEADER_BYTES
const MAX_RANK = 32

const invalid = (file: string, fault: string): HeadstartError =>
  new HeadstartError('DATASET_INVALID', `${file} is no .npy file that can be read: ${fault}`)

// One member of the Python dict literal that numpy writes, with the comma after it.
const MEMBER =
  /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,]*\))\s*(,|(?=\}))/y

const parseMembers = (file: string, text: string): ReadonlyMap<string, string> => {
  const dict = text.trim()
  if (!dict.startsWith('{') || !dict.endsWith('}')) throw invalid(file, 'the header is no dict')
  const members = new Map<string, string>()
  MEMBER.lastIndex = 1
  let end = 1
  for (let match = MEMBER.exec(dict); match !== null; match = MEMBER.exec(dict)) {
    const [, name = '', value = ''] = match
    if (members.has(name)) throw invalid(file, `the header has ${name} twice`)
    members.set(name, value)
    end = MEMBER.lastIndex
  }
  if (dict.slice(end).trim() !== '}' || members.size !== 3) {
    throw invalid(file, 'the header must have descr, fortran_order and shape and nothing else')
  }
  return members
}

const parseShape = (file: string, text: string): number[] => {
  const inner = text.slice(1, -1).replace(/,\s*$/, '')
  const shape =
    inner.trim() === '' ? [] : inner.split(',').map((part) => Number(part.trim() || NaN))
  if (shape.length > MAX_RANK || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw invalid(file, 'the shape cannot be used')
  }
  return shape
}

const locateHeader = (file: string, prefix: Buffer): { start: number; end: number } => {
  if (prefix.length < 12 || !prefix.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw invalid(file, 'it does not begin as one')
  }
  const version = prefix[MAGIC.length] ?? 0
  if (version < 1 || version > 3) throw invalid(file, `version ${version} is not known`)
  const start = version === 1 ? MAGIC.length + 4 : MAGIC.length + 6
  const length = version === 1 ? prefix.readUInt16LE(start - 2) : prefix.readUInt32LE(start - 4)
  if (length > MAX_HEADER_BYTES) throw invalid(file, 'the header is longer than 64 KiB')
  if (start + length > prefix.length) throw invalid(file, 'it ends within the header')
  return { start, end: start + length }
}

/**
 * Parses the header and checks that the file has exactly the bytes that it promises.
 *
 * @param prefix the first NPY_PREFIX_BYTES of the file, or all of it.
 * @param fileBytes length of the whole file.
 * @throws DATASET_INVALID
 */
export const parseNpyHeader = (file: string, prefix: Buffer, fileBytes: number): NpyHeader => {
  const { start, end } = locateHeader(file, prefix)
  const members = parseMembers(file, prefix.toString('utf8', start, end))
  const descr = members.get('descr') ?? ''
  const dtype = descr.slice(1, -1)
  if (!descr.startsWith("'") || !Object.hasOwn(NPY_DTYPES, dtype)) {
    const known = Object.keys(NPY_DTYPES).join(' ')
    throw invalid(file, `its dtype is ${descr}; known are ${known}`)
  }
  if (members.get('fortran_order') !== 'False') {
    throw invalid(file, 'it is not in C order; save numpy.ascontiguousarray(x)')
  }
  const shapeText = members.get('shape') ?? ''
  if (!shapeText.startsWith('(')) throw invalid(file, 'the shape is no tuple')
  const shape = parseShape(file, shapeText)
  const known = dtype as NpyDtype
  const dataBytes = shape.reduce((product, size) => product * size, NPY_DTYPES[known])
  if (!Number.isSafeInteger(dataBytes) || end + dataBytes !== fileBytes) {
    const promised = `${dataBytes} bytes of values`
    throw invalid(file, `its header promises ${promised}, but ${fileBytes - end} follow it`)
  }
  return { dtype: known, shape, dataOffset: end }
}
