// Owns where the content of a dataset may lie: what its names say.
import type { Sha256 } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { findId } from './find.js'
import { loadNames } from './names.js'

/**
 * The dataset that a reference means, and the places of its names, that of the given name first.
 *
 * @throws NOT_FOUND, REQUEST_INVALID
 */
export const findPlaces = async (
  store: Store,
  reference: string,
): Promise<{ readonly id: Sha256; readonly places: readonly string[] }> => {
  const id = await findId(store, 'dataset', reference)
  const { entries } = await loadNames(store, ['dataset'])
  const places = entries
    .filter((entry) => entry.id === id)
    .sort((a, b) => Number(b.name === reference) - Number(a.name === reference))
    .flatMap(({ from }) => from ?? [])
  return { id, places: [...new Set(places)] }
}
