// Owns indexing what lies in a bucket: class folders below a prefix, or a table. The same files in a
// folder of a disk give the same dataset. Refuses tensor files.
import { posix } from 'node:path'
import { HeadstartError } from '../errors.js'
import type { ObjectSource } from '../store/object-source.js'
import { type ObjectLocation, parseObjectUrl } from '../store/url.js'
import {
  assertNoLabelFile,
  assertNoRegression,
  buildDataset,
  keyEntries,
  type ResolvedRequest,
} from './build-dataset.js'
import { hashObjects } from './hash-objects.js'
import { type FoundObjects, findInPrefix, keyPrefixOf } from './object-folder.js'
import { createObjectReader } from './object-reader.js'
import { findInObjectTable, folderOfKey } from './object-table.js'
import { kindOfExtension } from './source.js'
import type { OpenDataset } from './types.js'

type ObjectKind = 'folder' | 'csv' | 'jsonl'

/**
 * Which source an address in S3 is, by its extension: there is nothing to look at but names.
 *
 * @throws DATASET_INVALID for tensor files, of which samples are rows and not objects.
 */
export const kindOfObject = ({ url, key, isPrefix }: ObjectLocation): ObjectKind => {
  const kind = isPrefix ? undefined : kindOfExtension(key)
  if (kind !== 'npy' && kind !== 'arrow') return kind ?? 'folder'
  const message = `${url}: tensor files are read from a disk; copy it, or give images in S3`
  throw new HeadstartError('DATASET_INVALID', message)
}

/** The key of the folder that the names of a dataset's samples are relative to. */
export const sampleFolderOf = (location: ObjectLocation): string =>
  kindOfObject(location) === 'folder' ? location.key : folderOfKey(location.key)

const find = async (
  source: ObjectSource,
  location: ObjectLocation,
  { spec, signal }: ResolvedRequest,
): Promise<FoundObjects> => {
  const { url, key } = location
  const kind = kindOfObject(location)
  if (kind !== 'folder') {
    const request = { file: url, key, format: kind, target: spec.target, signal }
    return findInObjectTable(source, request)
  }
  assertNoRegression(url, spec.target)
  const found = await findInPrefix(source, key, signal)
  if (found !== null) return found
  throw new HeadstartError('INPUT_MISSING', `nothing lies below ${url}/`)
}

/** @throws the errors of indexDataset. */
export const indexObjects = async (request: ResolvedRequest): Promise<OpenDataset> => {
  const location = parseObjectUrl(request.spec.from)
  const folder = sampleFolderOf(location)
  assertNoLabelFile(posix.basename(location.key), request.spec)
  const source = await request.objects(location.bucket)
  const { entries, objects, notes } = await find(source, location, request)
  const names = entries.map(({ name }) => name)
  const prefix = keyPrefixOf(folder)
  const hashed = await hashObjects(names, objects, { ...request, source, prefix })
  const dataset = buildDataset(request, location.url, {
    entries: keyEntries(entries, hashed.keys),
    content: { kind: 'image' },
    notes: [...notes, ...hashed.notes],
  })
  return { dataset, reader: createObjectReader(source, prefix, dataset.samples) }
}
