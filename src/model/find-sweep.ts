// Owns `<sweep>` on the command line and in the API: an id, or the start of one. Refuses to guess.
import { HeadstartError } from '../errors.js'
import { shortId } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import { MIN_PREFIX_CHARACTERS } from './find-run.js'
import { listSweepIds, loadSweep, type SweepRecord } from './sweep-record.js'

const MAX_SHOWN = 10

/** @throws NOT_FOUND, saying what exists; REQUEST_INVALID when several ids begin so; STORE_CORRUPT. */
export const findSweep = async (store: Store, reference: string): Promise<SweepRecord> => {
  const wanted = reference.toLowerCase()
  const ids = await listSweepIds(store)
  const fitting =
    wanted.length < MIN_PREFIX_CHARACTERS ? [] : ids.filter((id) => id.startsWith(wanted))
  if (fitting.length > 1)
    throw new HeadstartError('REQUEST_INVALID', `${fitting.length} sweeps begin with ${wanted}`, {
      details: fitting.slice(0, MAX_SHOWN).map((id) => `sweep ${id}`),
    })
  const [id] = fitting
  const sweep = id === undefined ? null : await loadSweep(store, id)
  if (sweep !== null) return sweep
  throw new HeadstartError(
    'NOT_FOUND',
    `no sweep is called ${JSON.stringify(reference.slice(0, 120))}: ${ids.length} are in this store`,
    { details: ids.slice(0, MAX_SHOWN).map((one) => `id: ${shortId(one)}`) },
  )
}
