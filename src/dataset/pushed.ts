// Owns what the store says about a dataset's content: the blobs, the marker that all of them are
// there (written last), and the sign of a push in progress, which garbage collection respects.
import { z } from 'zod'
import { HeadstartError } from '../errors.js'
import { SHA256_PATTERN, type Sha256 } from '../identity/hash.js'
import { sampleKeyOfBytes } from '../identity/ids.js'
import { getJson, putJson } from '../store/json.js'
import type { Store, StoreKey } from '../store/port.js'
import { createReader, tooLarge } from './reader.js'
import { rowKeyOf } from './tensor.js'
import type { Content, Dataset, SampleReader } from './types.js'

export const BLOB_PREFIX = 'blobs/'
export const PUSHED_FILE = 'pushed.json'
export const PUSHING_FILE = 'pushing.json'

export const blobKey = (key: Sha256): StoreKey => `${BLOB_PREFIX}${key}`
const pushedKey = (datasetId: Sha256): StoreKey => `datasets/${datasetId}/${PUSHED_FILE}`
export const pushingKey = (datasetId: Sha256): StoreKey => `datasets/${datasetId}/${PUSHING_FILE}`

const sha256Schema = z.string().regex(SHA256_PATTERN)

// No clock and no host: whoever pushes a dataset writes the same marker.
const pushedSchema = z.strictObject({
  version: z.literal(1),
  datasetId: sha256Schema,
  contentId: sha256Schema,
  samples: z.int().nonnegative(),
  /** Sample keys of images over 64 MiB, which are no samples to read anywhere, and have no blob. */
  tooLarge: z.array(sha256Schema),
})
export type Pushed = z.output<typeof pushedSchema>

/**
 * The marker of a dataset; null when it was not pushed, or not completely.
 *
 * @throws STORE_CORRUPT
 */
export const loadPushed = (store: Store, datasetId: Sha256): Promise<Pushed | null> =>
  getJson(store, pushedKey(datasetId), pushedSchema)

/** Says that every sample is there. @param tooLarge sorted sample keys. */
export const savePushed = async (
  store: Store,
  { datasetId, contentId, samples }: Dataset,
  tooLargeKeys: readonly Sha256[],
): Promise<void> => {
  const marker: Pushed = {
    version: 1,
    datasetId,
    contentId,
    samples: samples.length,
    tooLarge: [...tooLargeKeys],
  }
  await putJson(store, pushedKey(datasetId), marker)
}

/** A dataset with other splits has the same content: when one is pushed, so is the other. */
export const copyPushed = async (store: Store, from: Sha256, to: Dataset): Promise<void> => {
  if (from === to.datasetId) return
  const pushed = await loadPushed(store, from)
  if (pushed !== null) await savePushed(store, to, pushed.tooLarge)
}

const keyOfContent = (content: Content, bytes: Uint8Array): Sha256 =>
  content.kind === 'image' ? sampleKeyOfBytes(bytes) : rowKeyOf(content.shape, bytes)

/** Reads samples from the blobs of a pushed dataset; the key of each is checked. */
export const createBlobReader = (store: Store, dataset: Dataset, pushed: Pushed): SampleReader => {
  const { nameOf, close } = createReader(
    dataset.samples,
    async () => undefined,
    async () => {},
  )
  const withoutBlob = new Set(pushed.tooLarge)
  return {
    nameOf,
    close,
    async read(key) {
      const name = nameOf(key)
      if (withoutBlob.has(key)) throw tooLarge()
      const bytes = await store.get(blobKey(key))
      if (bytes === null) {
        const message = `${name}: ${blobKey(key)} is gone from the store; push the dataset again`
        throw new HeadstartError('DATASET_CHANGED', message)
      }
      if (keyOfContent(dataset.content, bytes) === key) return bytes
      throw new HeadstartError('STORE_CORRUPT', `${blobKey(key)} is not the content of ${name}`)
    },
  }
}
