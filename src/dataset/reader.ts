// Owns reading the content of indexed samples again. Returns only bytes whose sample key it checked.
// Refuses files that left the folder through a link, and image files over 64 MiB.
import type { FileHandle } from 'node:fs/promises'
import { type ErrorCode, HeadstartError, isHeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { sampleKeyOfBytes } from '../identity/ids.js'
import { createResolver, openReal } from './contained-path.js'
import { hashHandle } from './hash-files.js'
import { readBytes } from './read-bytes.js'
import { rowKeyOf, type TensorSource } from './tensor.js'
import { rowOfName } from './tensor-rows.js'
import type { Sample, SampleReader } from './types.js'

/** Reads what has a name; undefined when nothing is there any more. */
export type ReadNamed = (name: string, key: Sha256) => Promise<Uint8Array | undefined>

/** Says something of the sample, or of the store: another name of the sample would not help. */
const isFinal = (error: unknown): boolean =>
  ['SAMPLE_INVALID', 'STORE_UNAVAILABLE', 'STORE_CORRUPT'].some((code) =>
    isHeadstartError(error, code as ErrorCode),
  )

export const createReader = (
  samples: readonly Sample[],
  readNamed: ReadNamed,
  close: () => Promise<void>,
): SampleReader => {
  const namesOf = new Map(samples.map(({ key, names }) => [key, names]))
  const findNames = (key: Sha256): readonly string[] => {
    const names = namesOf.get(key)
    if (names !== undefined) return names
    throw new HeadstartError('NOT_FOUND', `the dataset has no sample ${key}`)
  }
  const nameOf = (key: Sha256): string => findNames(key)[0] ?? key
  return {
    nameOf,
    close,
    async read(key) {
      let cause: unknown
      for (const name of findNames(key)) {
        try {
          const bytes = await readNamed(name, key)
          if (bytes !== undefined) return bytes
        } catch (error) {
          if (isFinal(error)) throw error
          cause = error
        }
      }
      const message = `${nameOf(key)} changed or vanished since it was indexed`
      throw new HeadstartError('DATASET_CHANGED', message, { cause })
    },
  }
}

/**
 * Bytes of one image file. More than any camera writes; a batch is read whole, and several batches
 * are in flight.
 */
export const MAX_IMAGE_BYTES = 64 * 1024 ** 2

/** The reason is the same wherever the content lies: it is kept with the features. */
export const tooLarge = (): HeadstartError =>
  new HeadstartError('SAMPLE_INVALID', 'the file is larger than 64 MiB')

/**
 * The file's bytes; undefined when they are not those of the key.
 *
 * @throws SAMPLE_INVALID when they are, and too many. A file that only took the place of the sample
 *   says nothing of it, so this is found out by hashing in chunks.
 */
const readSample = async (handle: FileHandle, key: Sha256): Promise<Uint8Array | undefined> => {
  const { size } = await handle.stat()
  if (size <= MAX_IMAGE_BYTES) {
    const bytes = await readBytes(handle, size)
    return sampleKeyOfBytes(bytes) === key ? bytes : undefined
  }
  if ((await hashHandle(handle, size)) !== key) return undefined
  throw tooLarge()
}

/** @param root real path of the folder that the samples' names are relative to. */
export const createFileReader = (root: string, samples: readonly Sample[]): SampleReader => {
  const resolve = createResolver(root)
  const readNamed: ReadNamed = async (name, key) => {
    const resolved = await resolve(name)
    if ('problem' in resolved) return undefined
    const handle = await openReal(resolved.path)
    try {
      return await readSample(handle, key)
    } finally {
      await handle.close()
    }
  }
  return createReader(samples, readNamed, async () => {})
}

/** @param open called at the first read; the source is closed with the reader. */
export const createTensorReader = (
  open: () => Promise<TensorSource>,
  samples: readonly Sample[],
): SampleReader => {
  let opened: Promise<TensorSource> | undefined
  let closed = false
  const readNamed: ReadNamed = async (name, key) => {
    if (closed) throw new HeadstartError('INTERNAL', 'the reader was closed')
    opened ??= open()
    const source = await opened
    const row = rowOfName(name)
    if (row < 0 || row >= source.rows) return undefined
    const bytes = await source.readRows(row, 1)
    return rowKeyOf(source.shape, bytes) === key ? bytes : undefined
  }
  return createReader(samples, readNamed, async () => {
    if (closed) return
    closed = true
    const source = await opened?.catch(() => undefined)
    await source?.close()
  })
}
