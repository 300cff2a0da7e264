// Owns writing the report of a run or a sweep when it is asked for: the first time, or again.
import { openContent } from '../dataset/open-content.js'
import { loadDataset } from '../dataset/save.js'
import { isHeadstartError } from '../errors.js'
import { findRun } from '../model/find-run.js'
import { findSweep } from '../model/find-sweep.js'
import { runReportKey, sweepReportKey } from '../model/report-keys.js'
import type { StoreKey } from '../store/port.js'
import type { Workspace } from './workspace.js'
import { writeRunReports } from './write-run-reports.js'
import { writeSweepReport } from './write-sweep-report.js'

export interface WrittenReport {
  readonly kind: 'run' | 'sweep'
  readonly id: string
  /** Where the page and its data lie in the store. */
  readonly html: StoreKey
  readonly json: StoreKey
}

/** A run, or where no run is called so, a sweep. */
const find = async (store: Workspace['store'], reference: string) => {
  try {
    return { run: await findRun(store, reference), sweep: null }
  } catch (error) {
    if (!isHeadstartError(error, 'NOT_FOUND')) throw error
    const sweep = await findSweep(store, reference).catch((fault: unknown) => {
      // An ambiguous or a damaged sweep is not one that does not exist.
      throw isHeadstartError(fault, 'NOT_FOUND') ? error : fault
    })
    return { run: null, sweep }
  }
}

/**
 * @param request.content where the dataset lies now; without it where the run was trained. Content that
 *   is not at hand costs the thumbnails only.
 * @throws NOT_FOUND when there is no such run or sweep, or its dataset or features were removed.
 */
export const writeReport = async (request: {
  readonly workspace: Workspace
  readonly reference: string
  readonly content?: string | undefined
  readonly signal?: AbortSignal | undefined
}): Promise<WrittenReport> => {
  const { workspace, reference, signal } = request
  const { store, objects } = workspace
  const { run, sweep } = await find(store, reference)
  const dataset = await loadDataset(store, (run ?? sweep).dataset.datasetId)
  if (run === null) {
    const { sweepId } = sweep
    await writeSweepReport({ store, opened: { dataset, reader: null } }, sweep)
    const keys = { html: sweepReportKey(sweepId, 'html'), json: sweepReportKey(sweepId, 'json') }
    return { kind: 'sweep', id: sweepId, ...keys }
  }
  const from = request.content ?? run.dataset.from
  const reader = await openContent({ store, objects, dataset, from }).catch((error: unknown) => {
    if (request.content !== undefined) throw error
    return null
  })
  try {
    await writeRunReports({ store, opened: { dataset, reader }, signal }, [run], null)
    const { runId } = run
    const keys = { html: runReportKey(runId, 'html'), json: runReportKey(runId, 'json') }
    return { kind: 'run', id: runId, ...keys }
  } finally {
    await reader?.close()
  }
}
