// Owns bringing a dataset's content into the store: each blob once, the marker last. What was
// uploaded before an interruption is found there again.
import { randomUUID } from 'node:crypto'
import { assertNotAborted, HeadstartError, isHeadstartError } from '../errors.js'
import type { Sha256 } from '../identity/hash.js'
import { encodeJson } from '../store/json.js'
import type { Store } from '../store/port.js'
import { eachBounded } from './each-bounded.js'
import { findMissingBlobs } from './find-blobs.js'
import { blobKey, loadPushed, pushingKey, savePushed } from './pushed.js'
import { MAX_IMAGE_BYTES } from './reader.js'
import { listSome } from './source.js'
import { rowBytesOf } from './tensor.js'
import type { Content, Dataset, SampleReader } from './types.js'

export interface PushRequest {
  readonly store: Store
  readonly dataset: Dataset
  /** Asked for when something has to be uploaded. Closed by the push. */
  readonly open: () => Promise<SampleReader>
  readonly signal?: AbortSignal | undefined
  /** @param done samples that are in the store now, or cannot be. */
  readonly onProgress?: ((done: number, total: number, uploaded: number) => void) | undefined
}

export interface PushResult {
  readonly samples: number
  readonly uploaded: number
  /** Were in the store already. */
  readonly present: number
  /** Images over 64 MiB: they are in quarantine everywhere and are not pushed. */
  readonly tooLarge: number
  /** Bytes uploaded. */
  readonly bytes: number
}

const PARALLEL_UPLOADS = 16
/** Bytes of samples in memory at once, where they are as large as they may be. */
const MEMORY_BYTES = 1024 ** 3
/** Garbage collection must see that the push goes on. */
const RENEWAL_MS = 10 * 60 * 1000
/** Collections that take away what was there, before the push is given up. */
const ROUNDS = 5

const lanesOf = (content: Content): number => {
  const largest = content.kind === 'image' ? MAX_IMAGE_BYTES : rowBytesOf(content.shape)
  return Math.max(1, Math.min(PARALLEL_UPLOADS, Math.floor(MEMORY_BYTES / largest)))
}

/** Shows garbage collection that a dataset is being pushed: by the age of a small document. */
const createSign = (store: Store, datasetId: Sha256) => {
  const key = pushingKey(datasetId)
  let renewedMs = Number.NEGATIVE_INFINITY
  return {
    async renew(): Promise<void> {
      if (performance.now() - renewedMs < RENEWAL_MS) return
      renewedMs = performance.now()
      const seen = await store.head(key)
      const content = encodeJson({ version: 1, write: randomUUID() })
      try {
        await store.replace(key, content, seen?.version ?? null)
      } catch (error) {
        // Another push of the same dataset has just renewed it.
        if (!isHeadstartError(error, 'STORE_CONFLICT')) throw error
      }
    },
    remove: () => store.delete(key),
  }
}

interface Upload {
  readonly uploaded: Set<Sha256>
  readonly tooLarge: Set<Sha256>
  readonly lost: Set<Sha256>
  bytes: number
}

const uploadOne = async (
  store: Store,
  reader: SampleReader,
  key: Sha256,
  upload: Upload,
): Promise<void> => {
  try {
    const content = await reader.read(key)
    if ((await store.putIfAbsent(blobKey(key), content)) === 'exists') return
    upload.uploaded.add(key)
    upload.bytes += content.length
  } catch (error) {
    if (isHeadstartError(error, 'SAMPLE_INVALID')) upload.tooLarge.add(key)
    else if (isHeadstartError(error, 'DATASET_CHANGED')) upload.lost.add(key)
    else throw error
  }
}

const assertNothingLost = ({ lost }: Upload, total: number, nameOf: (key: Sha256) => string) => {
  if (lost.size === 0) return
  const names = [...lost].map(nameOf).sort()
  throw new HeadstartError(
    'DATASET_CHANGED',
    `${lost.size} of ${total} samples changed or vanished; all others are in the store`,
    { details: listSome(names) },
  )
}

/**
 * Uploads what the store lacks of a dataset's content and says so in a marker.
 *
 * @throws DATASET_CHANGED naming what cannot be read any more: everything else was uploaded, and
 *   there is no marker. INTERRUPTED; the errors of `open` and of stores.
 */
export const pushSamples = async (request: PushRequest): Promise<PushResult> => {
  const { store, dataset, signal, onProgress } = request
  const keys = dataset.samples.map(({ key }) => key)
  const known = new Set((await loadPushed(store, dataset.datasetId))?.tooLarge)
  const upload: Upload = { uploaded: new Set(), tooLarge: known, lost: new Set(), bytes: 0 }
  const sign = createSign(store, dataset.datasetId)
  // Before anything is looked for: what is found from here on is not collected.
  await sign.renew()
  const findMissing = async (): Promise<Sha256[]> =>
    (await findMissingBlobs(store, keys, signal)).filter((key) => !upload.tooLarge.has(key))

  let missing = await findMissing()
  let reader: SampleReader | undefined
  try {
    for (let round = 1; missing.length > 0; round += 1) {
      if (round > ROUNDS)
        throw new HeadstartError('STORE_CONFLICT', 'pushed content keeps vanishing from the store')
      reader ??= await request.open()
      const source = reader
      let done = keys.length - missing.length
      onProgress?.(done, keys.length, upload.uploaded.size)
      await eachBounded(missing, lanesOf(dataset.content), async (key) => {
        assertNotAborted(signal)
        await sign.renew()
        await uploadOne(store, source, key, upload)
        done += 1
        onProgress?.(done, keys.length, upload.uploaded.size)
      })
      assertNothingLost(upload, keys.length, source.nameOf)
      // A collection that had begun before this push may have taken what was there.
      missing = await findMissing()
    }
  } finally {
    await reader?.close()
  }
  assertNotAborted(signal)
  await savePushed(store, dataset, [...upload.tooLarge].sort())
  await sign.remove()
  const [uploaded, tooLarge] = [upload.uploaded.size, upload.tooLarge.size]
  const present = keys.length - uploaded - tooLarge
  return { samples: keys.length, uploaded, present, tooLarge, bytes: upload.bytes }
}
