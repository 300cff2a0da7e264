// Owns how the state of a training lies in bytes: a header and numbers, behind a hash. Knows no training.
import { sha256 } from '../identity/hash.js'

const MAGIC_BYTES = 8
const HASH_BYTES = 32
const PREFIX_BYTES = MAGIC_BYTES + HASH_BYTES
/** Length of the header, as uint32. */
const LENGTH_BYTES = 4

/**
 * Magic, SHA-256 of the rest, header length, header, numbers.
 *
 * @param magic eight ASCII characters: the kind of state and its version.
 * @param header JSON.
 */
export const sealBytes = (
  magic: string,
  header: string,
  numbers: readonly (Float32Array | Float64Array)[],
): Uint8Array => {
  const text = Buffer.from(header)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32LE(text.length)
  const arrays = numbers.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  )
  const body = [length, text, ...arrays]
  return Buffer.concat([Buffer.from(magic), Buffer.from(sha256(...body), 'hex'), ...body])
}

/** @returns header and numbers in memory of their own; null when the bytes are broken or of another kind. */
export const unsealBytes = (
  magic: string,
  bytes: Uint8Array,
): { readonly header: string; readonly numbers: ArrayBuffer } | null => {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (all.length < PREFIX_BYTES + LENGTH_BYTES) return null
  if (all.toString('latin1', 0, MAGIC_BYTES) !== magic) return null
  const body = all.subarray(PREFIX_BYTES)
  if (sha256(body) !== all.toString('hex', MAGIC_BYTES, PREFIX_BYTES)) return null
  // The hash holds, so what follows is what sealBytes wrote.
  const headerEnd = LENGTH_BYTES + body.readUInt32LE(0)
  return {
    header: body.toString('utf8', LENGTH_BYTES, headerEnd),
    numbers: Uint8Array.from(body.subarray(headerEnd)).buffer,
  }
}
