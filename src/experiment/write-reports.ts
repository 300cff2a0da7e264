// Owns which reports a finished experiment gets. A report is never a reason for a training to fail.
import type { Sha256 } from '../identity/hash.js'
import type { RunRecord } from '../model/run-record.js'
import { isSweep, type SweepRecord } from '../model/sweep-record.js'
import type { KeptFeatures } from './feature-keeper.js'
import { type ReportContext, writeRunReports } from './write-run-reports.js'
import { writeSweepReport } from './write-sweep-report.js'

/** Runs of a larger sweep have their reports written when they are asked for. */
const MAX_RUN_REPORTS = 8

/** The feature set that a run predicts from. */
const featureSetOf = ({ extractors }: RunRecord): Sha256 => extractors[0]?.featureSetId ?? ''

export interface ReportedSweep {
  readonly sweep: SweepRecord
  readonly runs: readonly RunRecord[]
  readonly best: RunRecord
  /** Features of every sample in view 0, where they are open. */
  readonly findOpen: (featureSetId: Sha256) => KeptFeatures | null
}

/**
 * Writes the reports of a finished experiment: of its runs, of the best one alone where there are many,
 * and of the sweep where it has several heads or folds.
 *
 * @throws NOT_FOUND when features were removed; STORE_CORRUPT, FEATURES_CORRUPT, INTERRUPTED.
 */
export const writeReports = async (
  context: ReportContext,
  { sweep, runs, best, findOpen }: ReportedSweep,
): Promise<void> => {
  const reported = runs.length <= MAX_RUN_REPORTS ? runs : [best]
  for (const id of new Set(reported.map(featureSetOf)))
    await writeRunReports(
      context,
      reported.filter((run) => featureSetOf(run) === id),
      findOpen(id),
    )
  if (isSweep(sweep)) await writeSweepReport(context, sweep)
}
