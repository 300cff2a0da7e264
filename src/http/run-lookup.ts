// Owns finding the run of a predict request without asking the store each time. An answer is used
// for a second, so a name that is given to another run, or a removal elsewhere, counts that late.
import { findRun } from '../model/find-run.js'
import type { RunRecord } from '../model/run-record.js'
import type { Store } from '../store/port.js'

const KEEP_MS = 1_000
/** References that are remembered at once. */
const MAX_REMEMBERED = 256

export interface RunLookup {
  /** @throws the errors of findRun, which are not remembered. */
  find(reference: string): Promise<RunRecord>
  /** After a run was removed or a name was given away. */
  forget(): void
}

interface Remembered {
  readonly run: Promise<RunRecord>
  readonly untilMs: number
}

export const createRunLookup = (store: Store): RunLookup => {
  const remembered = new Map<string, Remembered>()

  const ask = (reference: string): Promise<RunRecord> => {
    const run = findRun(store, reference)
    const entry = { run, untilMs: performance.now() + KEEP_MS }
    remembered.delete(reference)
    remembered.set(reference, entry)
    run.catch(() => {
      if (remembered.get(reference) === entry) remembered.delete(reference)
    })
    const oldest = remembered.keys().next()
    if (remembered.size > MAX_REMEMBERED && !oldest.done) remembered.delete(oldest.value)
    return run
  }

  return {
    find: (reference) => {
      const entry = remembered.get(reference)
      return entry !== undefined && entry.untilMs > performance.now() ? entry.run : ask(reference)
    },
    forget: () => remembered.clear(),
  }
}
