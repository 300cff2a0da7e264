// Owns reading the local file of a shard: length and SHA-256 first, then the bytes may be used.
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Sha256 } from '../identity/hash.js'
import { stampOf, withObject } from '../store/file-pair.js'
import type { ObjectPaths } from '../store/file-paths.js'
import { featuresPositionOf, TAIL_BYTES } from './arrow.js'

export interface ShardFile {
  readonly paths: ObjectPaths
  /** Copies may be thrown away, the files of a store are all there is. */
  readonly isCopy: boolean
  /** Length and hash that it must have. */
  readonly bytes: number
  readonly sha256: Sha256
}

/** Where the bytes of a shard go. */
export interface ShardMemory {
  /** At least as long as the file; overwritten by the next file. */
  readonly buffer: Uint8Array
  /** Takes the features, and the buffer only the rest. As long as they are: no row may be left out. */
  readonly features?: Uint8Array | undefined
}

export type FileOutcome =
  | {
      readonly kind: 'read'
      /** Tells the file that was read from a changed one. */
      readonly stamp: string
      /** Of the bytes that went to `features`, in the file; null when none did. */
      readonly placed: number | null
    }
  | { readonly kind: 'missing' | 'damaged' }

/** Hashed while it is in a cache of the processor, and short enough to block nobody. */
const PIECE_BYTES = 2 ** 20

/** False when the file ends before `into` is full. */
export const fill = async (
  handle: FileHandle,
  into: Uint8Array,
  position: number,
): Promise<boolean> => {
  for (let filled = 0; filled < into.length; ) {
    const wanted = into.length - filled
    const { bytesRead } = await handle.read(into, filled, wanted, position + filled)
    if (bytesRead === 0) return false
    filled += bytesRead
  }
  return true
}

/** Fills the parts, one after another, from the start of a file: null when it ends before. */
const readHashed = async (
  handle: FileHandle,
  parts: readonly Uint8Array[],
): Promise<Sha256 | null> => {
  const hash = createHash('sha256')
  let position = 0
  for (const part of parts)
    for (let begin = 0; begin < part.length; begin += PIECE_BYTES) {
      const piece = part.subarray(begin, begin + PIECE_BYTES)
      if (!(await fill(handle, piece, position))) return null
      hash.update(piece)
      position += piece.length
    }
  return hash.digest('hex')
}

const positionIn = async (
  handle: FileHandle,
  bytes: number,
  features: Uint8Array,
): Promise<number | null> => {
  const tail = new Uint8Array(Math.min(TAIL_BYTES, bytes))
  if (!(await fill(handle, tail, bytes - tail.length))) return null
  return featuresPositionOf(tail, bytes, features.length)
}

/**
 * Reads a file into memory. What lies there may be used when the outcome is `read`, and not before.
 *
 * @throws STORE_CORRUPT when it is a link, and errors of the system.
 */
export const readShardFile = async (
  file: ShardFile,
  { buffer, features }: ShardMemory,
): Promise<FileOutcome> => {
  const found = await withObject(file.paths, async (handle): Promise<FileOutcome> => {
    // The cache removes what was not used for longest; a cache that is read-only keeps its order.
    if (file.isCopy) await handle.utimes(new Date(), new Date()).catch(() => {})
    const stamp = await stampOf(handle)
    if (stamp?.bytes !== file.bytes) return { kind: 'damaged' }
    const whole = buffer.subarray(0, file.bytes)
    const placed = features ? await positionIn(handle, file.bytes, features) : null
    const parts =
      features === undefined || placed === null
        ? [whole]
        : [whole.subarray(0, placed), features, whole.subarray(placed + features.length)]
    if ((await readHashed(handle, parts)) !== file.sha256) return { kind: 'damaged' }
    return { kind: 'read', stamp: stamp.stamp, placed }
  })
  return found ?? { kind: 'missing' }
}
