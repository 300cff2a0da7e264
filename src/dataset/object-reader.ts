// Owns reading the content of samples that are objects of a bucket. Returns only bytes whose sample
// key it checked. Refuses images over 64 MiB, whatever length the server announces.
import { createHash } from 'node:crypto'
import type { Sha256 } from '../identity/hash.js'
import type { ObjectSource } from '../store/object-source.js'
import { createReader, MAX_IMAGE_BYTES, tooLarge } from './reader.js'
import type { Sample, SampleReader } from './types.js'

/** The bytes of a body; null when they are not those of the key. At most 64 MiB are held. */
const readSample = async (
  body: AsyncIterable<Uint8Array>,
  key: Sha256,
): Promise<Uint8Array | null> => {
  const hash = createHash('sha256')
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body) {
    hash.update(chunk)
    length += chunk.length
    if (length <= MAX_IMAGE_BYTES) chunks.push(chunk)
    else chunks.length = 0
  }
  // What only took the place of the sample says nothing of it.
  if (hash.digest('hex') !== key) return null
  if (length > MAX_IMAGE_BYTES) throw tooLarge()
  return Buffer.concat(chunks, length)
}

/** @param prefix comes before every name to make its key. The source stays open. */
export const createObjectReader = (
  source: ObjectSource,
  prefix: string,
  samples: readonly Sample[],
): SampleReader =>
  createReader(
    samples,
    async (name, key) =>
      (await source.read(prefix + name, (body) => readSample(body, key))) ?? undefined,
    async () => {},
  )
