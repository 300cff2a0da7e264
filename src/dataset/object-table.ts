// Owns a CSV or JSONL table in a bucket, whose rows name objects beside or below it.
// Refuses paths that are absolute, that leave the table's folder, or that name no object.
import { assertNotAborted, HeadstartError } from '../errors.js'
import type { ObjectSource, SourceObject } from '../store/object-source.js'
import { faultOfObjectKey } from '../store/url.js'
import { containedName } from './contained-path.js'
import { findObjects } from './find-objects.js'
import { MAX_TABLE_BYTES } from './lines.js'
import { type FoundObjects, keyPrefixOf } from './object-folder.js'
import { readTable, type Table, type TableRequest } from './table-rows.js'

/** The key of the folder that the paths of a table are relative to. */
export const folderOfKey = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('/')))

type ObjectTableRequest = Omit<TableRequest, 'withPath' | 'open'> & { readonly key: string }

/** The chunks of a table; the server's word on its length is not enough. */
async function* limited(body: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > MAX_TABLE_BYTES)
      throw new HeadstartError('DATASET_INVALID', `${file} is larger than 1 GiB`)
    yield chunk
  }
}

const readObjectTable = async (
  source: ObjectSource,
  { key, ...request }: ObjectTableRequest,
): Promise<Table> => {
  const { file, signal } = request
  const table = await source.read(
    key,
    async (body, { bytes }) => {
      if (bytes > MAX_TABLE_BYTES)
        throw new HeadstartError('DATASET_INVALID', `${file} is larger than 1 GiB`)
      return readTable({ ...request, withPath: true, open: () => limited(body, file) })
    },
    { signal },
  )
  if (table !== null) return table
  throw new HeadstartError('INPUT_MISSING', `cannot read ${file}: there is no such object`)
}

/** The name that a path means, or the fault to report for its row. */
const parsePath = (path: string): { readonly name: string } | { readonly fault: string } => {
  const name = containedName(path)
  if (name === undefined)
    return { fault: path === '' ? 'the path is empty' : `the path ${path} leaves the folder` }
  if (name.endsWith('/')) return { fault: `${path}: the path is no regular file` }
  const fault = faultOfObjectKey(name)
  return fault === null ? { name } : { fault: `the path ${JSON.stringify(path)} has ${fault}` }
}

/**
 * Finds the objects that a table names.
 *
 * @param request.file what messages call the table.
 * @throws INPUT_MISSING without the table; DATASET_INVALID with every fault of it and its row.
 */
export const findInObjectTable = async (
  source: ObjectSource,
  request: ObjectTableRequest,
): Promise<FoundObjects> => {
  const { rows, faults, notes } = await readObjectTable(source, request)
  const { signal } = request
  const prefix = keyPrefixOf(folderOfKey(request.key))
  const named = rows.flatMap(({ row, path, label, split }) => {
    const parsed = parsePath(path)
    if ('name' in parsed) return [{ row, path, label, split, name: parsed.name }]
    faults.add(row, parsed.fault)
    return []
  })
  const names = new Set(named.map(({ name }) => name))
  const found = await findObjects(source, prefix, names, signal)
  assertNotAborted(signal)
  const objects = new Map<string, SourceObject>()
  const entries = named.flatMap(({ row, path, ...entry }) => {
    const object = found.get(entry.name)
    if (object === undefined) {
      faults.add(row, `${path}: the file is missing`)
      return []
    }
    objects.set(entry.name, object)
    return [{ ...entry, path: object.key }]
  })
  faults.assertNone()
  return { entries, notes, objects }
}
