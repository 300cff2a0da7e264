// Owns which datasets' content was pushed to the store, or is being pushed, and which blobs that is.
import { PUSHED_FILE, PUSHING_FILE } from '../dataset/pushed.js'
import { loadDataset } from '../dataset/save.js'
import { isHeadstartError } from '../errors.js'
import { SHA256_PATTERN, type Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'

interface PushedDataset {
  readonly datasetId: Sha256
  /** Whether its marker says that every sample is there. */
  readonly isComplete: boolean
  /** When a push last said that it goes on; null when none does. */
  readonly pushingMs: number | null
  /** Of the youngest object of the dataset. */
  readonly modifiedMs: number
}

export interface PushedContent extends PushedDataset {
  readonly keys: readonly Sha256[]
}

export interface PushedState {
  readonly datasets: readonly PushedDataset[]
  /** Every marker and sign of a push with its time: one that is new says that a push began. */
  readonly stamps: ReadonlySet<string>
}

/** The datasets with a marker or a sign of a push. */
export const listPushed = async (store: Store): Promise<PushedState> => {
  const found = new Map<Sha256, PushedDataset>()
  const stamps = new Set<string>()
  for await (const { key, modifiedMs } of store.list('datasets/')) {
    const [, datasetId = '', file, ...more] = key.split('/')
    if (!SHA256_PATTERN.test(datasetId) || more.length > 0) continue
    const known = found.get(datasetId)
    if (file === PUSHED_FILE || file === PUSHING_FILE) stamps.add(`${key} ${modifiedMs}`)
    found.set(datasetId, {
      datasetId,
      isComplete: known?.isComplete === true || file === PUSHED_FILE,
      pushingMs: file === PUSHING_FILE ? modifiedMs : (known?.pushingMs ?? null),
      modifiedMs: Math.max(modifiedMs, known?.modifiedMs ?? 0),
    })
  }
  const datasets = [...found.values()].filter(
    ({ isComplete, pushingMs }) => isComplete || pushingMs !== null,
  )
  return { datasets, stamps }
}

/**
 * With the sample keys of each. A dataset that is half removed refers to nothing.
 *
 * @throws STORE_CORRUPT when the index of one cannot be read: what it needs is unknown.
 */
export const loadPushedContents = async (
  store: Store,
  { datasets }: PushedState,
): Promise<PushedContent[]> => {
  const contents: PushedContent[] = []
  for (const pushed of datasets) {
    try {
      const { samples } = await loadDataset(store, pushed.datasetId)
      contents.push({ ...pushed, keys: samples.map(({ key }) => key) })
    } catch (error) {
      if (!isHeadstartError(error, 'NOT_FOUND')) throw error
    }
  }
  return contents
}
