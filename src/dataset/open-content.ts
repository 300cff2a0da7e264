// Owns where the content of an indexed dataset is read: in S3, on this machine, or from the store it
// was pushed to. What cannot be reached is found out here, not at the first sample.
import { stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { HeadstartError, isHeadstartError } from '../errors.js'
import { shortId } from '../identity/hash.js'
import type { OpenObjects } from '../store/object-source.js'
import type { Store } from '../store/port.js'
import { isS3Url, type ObjectLocation, parseObjectUrl } from '../store/url.js'
import { kindOfObject, sampleFolderOf } from './index-objects.js'
import { keyPrefixOf } from './object-folder.js'
import { createObjectReader } from './object-reader.js'
import { openRegistered } from './open-registered.js'
import { createBlobReader, loadPushed } from './pushed.js'
import type { Dataset, SampleReader } from './types.js'

export interface ContentRequest {
  readonly store: Store
  readonly objects: OpenObjects
  readonly dataset: Dataset
  /** Absolute path or `s3://` address that it was indexed from, or where its content lies now. */
  readonly from: string
}

/** Whether anything lies there: one request. */
const isInBucket = async (
  { objects }: ContentRequest,
  location: ObjectLocation,
): Promise<boolean> => {
  const source = await objects(location.bucket)
  try {
    if (kindOfObject(location) !== 'folder') return (await source.head(location.key)) !== null
    for await (const _ of source.list(keyPrefixOf(location.key))) return true
  } catch (error) {
    // Without the bucket there is nothing in it.
    if (!isHeadstartError(error, 'INPUT_MISSING')) throw error
  }
  return false
}

const openInBucket = async (
  request: ContentRequest,
  location: ObjectLocation,
): Promise<SampleReader> => {
  const { objects, dataset } = request
  if (dataset.content.kind !== 'image') {
    const message = `${location.url} holds images; the dataset holds ${dataset.content.kind} samples`
    throw new HeadstartError('DATASET_INVALID', message)
  }
  const source = await objects(location.bucket)
  return createObjectReader(source, keyPrefixOf(sampleFolderOf(location)), dataset.samples)
}

const openPushed = async ({ store, dataset, from }: ContentRequest): Promise<SampleReader> => {
  const pushed = await loadPushed(store, dataset.datasetId)
  if (pushed !== null) return createBlobReader(store, dataset, pushed)
  const what = `the content of the dataset ${shortId(dataset.datasetId)}`
  const where = isS3Url(from) ? 'there is nothing' : `the machine ${hostname()} has no such path`
  throw new HeadstartError(
    'DATASET_UNREACHABLE',
    `${what} lies at ${from}, but ${where}, and it was not pushed to the store`,
  )
}

/**
 * A reader of an indexed dataset's samples: where it was indexed from when that is there, else from
 * the store. Each sample is checked when it is read.
 *
 * @throws DATASET_UNREACHABLE when it is in neither place; DATASET_INVALID when another kind of
 *   source lies there; STORE_UNAVAILABLE.
 */
export const openContent = async (request: ContentRequest): Promise<SampleReader> => {
  const { dataset, from } = request
  if (isS3Url(from)) {
    const location = parseObjectUrl(from)
    return (await isInBucket(request, location))
      ? openInBucket(request, location)
      : openPushed(request)
  }
  const isHere = await stat(from).then(
    () => true,
    () => false,
  )
  return isHere ? openRegistered(dataset, from) : openPushed(request)
}
