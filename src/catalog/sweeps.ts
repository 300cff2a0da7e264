// Owns listing and showing sweeps: what was tried together, how far each head came, which was best.
import { HeadstartError } from '../errors.js'
import { type Sha256, shortId } from '../identity/hash.js'
import type { SweepHead, SweepRecord } from '../model/sweep-record.js'
import type { Store } from '../store/port.js'
import { type Damaged, listUnits, loadDocument, loadDocuments } from './documents.js'
import { findId } from './find.js'

export interface SweepSummary {
  readonly id: Sha256
  /** ISO 8601. */
  readonly createdAt: string
  /** The name that the best run got. */
  readonly name: string | null
  readonly base: SweepRecord['base']
  readonly dataset: SweepRecord['dataset']
  readonly heads: Readonly<Record<SweepHead['state'], number>>
  readonly folds: number | null
  readonly select: SweepRecord['select']
  readonly best: { readonly runId: Sha256; readonly value: number | null }
  /** Of its own objects; its runs are counted where they are listed. */
  readonly bytes: number
}

const countStates = ({ heads }: SweepRecord): SweepSummary['heads'] => {
  const counts = { trained: 0, pruned: 0, diverged: 0 }
  for (const { state } of heads) counts[state] += 1
  return counts
}

const summarize = (sweep: SweepRecord, bytes: number): SweepSummary => ({
  id: sweep.sweepId,
  createdAt: sweep.createdAt,
  name: sweep.name ?? null,
  base: sweep.base,
  dataset: sweep.dataset,
  heads: countStates(sweep),
  folds: sweep.folds,
  select: sweep.select,
  best: { runId: sweep.best.runId, value: sweep.heads[sweep.best.index]?.value ?? null },
  bytes,
})

/** All sweeps, newest first; equal times in the order of their ids. */
export const listSweeps = async (
  store: Store,
): Promise<{ readonly items: readonly SweepSummary[]; readonly damaged: readonly Damaged[] }> => {
  const { documents, damaged } = await loadDocuments(store, 'sweep')
  const items = documents.map(({ document, unit }) => summarize(document, unit.bytes))
  items.sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt))
  return { items, damaged }
}

const loadFound = async (store: Store, reference: string): Promise<SweepRecord> => {
  const id = await findId(store, 'sweep', reference)
  const sweep = await loadDocument(store, 'sweep', id)
  if (sweep === null)
    throw new HeadstartError('NOT_FOUND', `the sweep ${shortId(id)} was just removed`)
  return sweep
}

export interface ShownSweep {
  readonly sweep: SweepRecord
  readonly bytes: number
}

/** @throws NOT_FOUND, REQUEST_INVALID when several ids begin so, STORE_CORRUPT. */
export const showSweep = async (store: Store, reference: string): Promise<ShownSweep> => {
  const sweep = await loadFound(store, reference)
  const [unit] = await listUnits(store, 'sweep', sweep.sweepId)
  return { sweep, bytes: unit?.bytes ?? 0 }
}

/** The runs of a sweep. @throws as showSweep. */
export const runsOfSweep = async (
  store: Store,
  reference: string,
): Promise<ReadonlySet<Sha256>> => {
  const { heads } = await loadFound(store, reference)
  return new Set(heads.flatMap(({ runId }) => runId ?? []))
}
