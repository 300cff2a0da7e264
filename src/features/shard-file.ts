// Owns reading the local file of a shard: length and SHA-256 first, then the bytes may be used.
import type { FileHandle } from 'node:fs/promises'
import type { Sha256 } from '../identity/hash.js'
import { stampOf, withObject } from '../store/file-pair.js'
import type { ObjectPaths } from '../store/file-paths.js'

export interface ShardFile {
  readonly paths: ObjectPaths
  /** Copies may be thrown away, the files of a store are all there is. */
  readonly isCopy: boolean
  /** Length and hash that it must have. */
  readonly bytes: number
  readonly sha256: Sha256
}

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

export type FileOutcome =
  /** The stamp tells the file that was read from a changed one. */
  { readonly kind: 'read'; readonly stamp: string } | { readonly kind: 'missing' | 'damaged' }

/**
 * Reads a file into the first `file.bytes` bytes of `buffer`.
 *
 * @param hash of these bytes; asynchronous where it must not block.
 * @throws STORE_CORRUPT when it is a link, and errors of the system.
 */
export const readShardFile = async (
  file: ShardFile,
  buffer: Uint8Array,
  hash: (bytes: Uint8Array) => Sha256 | Promise<Sha256>,
): Promise<FileOutcome> => {
  const found = await withObject(file.paths, async (handle): Promise<FileOutcome> => {
    // The cache removes what was not used for longest; a cache that is read-only keeps its order.
    if (file.isCopy) await handle.utimes(new Date(), new Date()).catch(() => {})
    const stamp = await stampOf(handle)
    if (stamp?.bytes !== file.bytes) return { kind: 'damaged' }
    const bytes = buffer.subarray(0, file.bytes)
    if (!(await fill(handle, bytes, 0))) return { kind: 'damaged' }
    if ((await hash(bytes)) !== file.sha256) return { kind: 'damaged' }
    return { kind: 'read', stamp: stamp.stamp }
  })
  return found ?? { kind: 'missing' }
}
