// Owns registering bases and datasets under a name.
import { HeadstartError } from '../errors.js'
import type { BaseRecord } from '../extractor/base/load.js'
import { parseStored } from '../store/json.js'
import { getName, isName, setName } from '../store/names.js'
import type { Store } from '../store/port.js'
import {
  type DatasetRequest,
  type LocatedDataset,
  namedDatasetSchema,
  resolveBase,
  resolveDataset,
} from './references.js'

const assertName = (name: string): void => {
  if (!isName(name))
    throw new HeadstartError(
      'STORE_KEY_INVALID',
      `${JSON.stringify(name)} is no name: 1 to 100 letters, digits, ".", "_" and "-"`,
    )
}

/** @throws NAME_TAKEN unless `replace`, and the errors of registerBase. */
export const addBase = async (
  store: Store,
  request: {
    readonly from: string
    readonly name?: string | undefined
    readonly folder: string
    readonly replace: boolean
    readonly signal?: AbortSignal | undefined
  },
): Promise<BaseRecord> => {
  const { name, replace } = request
  if (name !== undefined) assertName(name)
  const record = await resolveBase(store, request.from, request.folder, request.signal)
  if (name !== undefined) await setName(store, 'base', name, { baseId: record.baseId }, { replace })
  return record
}

/**
 * Indexes a dataset, saves it and gives it a name. The name may be given again to the same place:
 * then it means what lies there now. The caller closes the reader.
 *
 * @throws NAME_TAKEN unless `replace`, and the errors of indexDataset.
 */
export const addDataset = async (
  store: Store,
  request: DatasetRequest & { name: string; replace: boolean },
): Promise<LocatedDataset> => {
  const { name } = request
  assertName(name)
  const opened = await resolveDataset(store, request)
  const value = { datasetId: opened.dataset.datasetId, from: opened.location }
  const previous = await getName(store, 'dataset', name)
  const samePlace =
    previous !== null &&
    parseStored(`names/dataset/${name}.json`, previous, namedDatasetSchema).from === value.from
  try {
    await setName(store, 'dataset', name, value, { replace: request.replace || samePlace })
  } catch (error) {
    await opened.reader.close()
    throw error
  }
  return opened
}
