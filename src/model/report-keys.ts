// Owns where the reports of runs and sweeps lie in the store: beside what they tell about.
import type { Sha256 } from '../identity/hash.js'
import type { StoreKey } from '../store/port.js'
import { runKeyPrefix } from './run-record.js'
import { isSweep, type SweepHead, sweepKeyPrefix } from './sweep-record.js'

type Extension = 'html' | 'json'

export const runReportKey = (runId: Sha256, extension: Extension): StoreKey =>
  `${runKeyPrefix(runId)}report.${extension}`

export const sweepReportKey = (sweepId: Sha256, extension: Extension): StoreKey =>
  `${sweepKeyPrefix(sweepId)}report.${extension}`

/** The page that tells most of an experiment: of its sweep, or of its only run. */
export const experimentPageKey = (
  sweep: { readonly id: Sha256; readonly heads: readonly Pick<SweepHead, 'folds'>[] },
  best: Sha256,
): StoreKey => (isSweep(sweep) ? sweepReportKey(sweep.id, 'html') : runReportKey(best, 'html'))
