// Owns reading text line by line with bounded memory.
// Refuses files over 1 GiB, lines over 1 MiB, and bytes that are not UTF-8.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { HeadstartError } from '../errors.js'

/** Bytes. A table of paths and labels is far smaller; what is larger is no table. */
export const MAX_TABLE_BYTES = 1024 ** 3
/** Bytes of one line or record. */
export const MAX_LINE_BYTES = 1024 ** 2

/** @throws DATASET_INVALID when the table is larger than a table may be. */
export const assertTableSize = async (path: string): Promise<void> => {
  const { size } = await stat(path)
  if (size > MAX_TABLE_BYTES) {
    throw new HeadstartError('DATASET_INVALID', `${path} is larger than 1 GiB`)
  }
}

const NEWLINE = 0x0a

/** The bytes of a file in chunks. */
export async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  await assertTableSize(path)
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }))
    yield chunk as Uint8Array
}

/**
 * The lines of UTF-8 text, without their ends and without a byte order mark.
 *
 * @param path what messages call it.
 */
export async function* readLines(
  path: string,
  chunks: AsyncIterable<Uint8Array> = readChunks(path),
): AsyncGenerator<string> {
  let lineNumber = 0
  const decode = (bytes: Uint8Array): string => {
    lineNumber += 1
    try {
      // The decoder drops a byte order mark; it may stand at the start of the file only.
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: lineNumber > 1 }).decode(
        bytes,
      )
      return text.endsWith('\r') ? text.slice(0, -1) : text
    } catch (cause) {
      throw new HeadstartError('DATASET_INVALID', `${path}: line ${lineNumber} is not UTF-8`, {
        cause,
      })
    }
  }
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk])
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield decode(bytes.subarray(start, end))
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > MAX_LINE_BYTES) {
      throw new HeadstartError('DATASET_INVALID', `${path}: line ${lineNumber + 1} exceeds 1 MiB`)
    }
  }
  if (rest.length > 0) yield decode(rest)
}
