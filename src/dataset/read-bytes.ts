// Owns reading the first bytes of an open file into an array of their own.
import type { FileHandle } from 'node:fs/promises'

/**
 * The first `size` bytes; fewer when the file ends before. Not from Buffer's pool: the array can be
 * moved to another thread.
 */
export const readBytes = async (
  handle: FileHandle,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> => {
  const bytes = new Uint8Array(size)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}
