// Owns registering bases and datasets under a name.
import { HeadstartError } from '../errors.js'
import type { BaseRecord } from '../extractor/base/load.js'
import { ensureCompiled } from '../extractor/compile/ensure.js'
import type { CompiledRecord } from '../extractor/compile/record.js'
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
import type { Workspace } from './workspace.js'

const assertName = (name: string): void => {
  if (!isName(name))
    throw new HeadstartError(
      'STORE_KEY_INVALID',
      `${JSON.stringify(name)} is no name: 1 to 100 letters, digits, ".", "_" and "-"`,
    )
}

export interface AddedBase {
  readonly record: BaseRecord
  /** Its form for onnxruntime and what was measured on it; null for a base of another format. */
  readonly compiled: CompiledRecord | null
}

/**
 * Registers a base, names it, and compiles it for onnxruntime.
 *
 * @throws NAME_TAKEN unless `replace`, and the errors of registerBase and ensureCompiled.
 */
export const addBase = async (
  workspace: Pick<Workspace, 'store' | 'engines'>,
  request: {
    readonly from: string
    readonly name?: string | undefined
    readonly folder: string
    readonly replace: boolean
    readonly signal?: AbortSignal | undefined
  },
): Promise<AddedBase> => {
  const { name, replace } = request
  if (name !== undefined) assertName(name)
  const record = await resolveBase(workspace, request.from, request.folder, request.signal)
  if (name !== undefined)
    await setName(workspace.store, 'base', name, { baseId: record.baseId }, { replace })
  const { store, engines: settings } = workspace
  const compiled = await ensureCompiled(store, record, { settings, signal: request.signal })
  return { record, compiled }
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
