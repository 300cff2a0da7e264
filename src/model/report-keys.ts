// Owns where the reports of runs and sweeps lie in the store: beside what they tell about.
import type { Sha256 } from '../identity/hash.js'
import type { StoreKey } from '../store/port.js'
import { runKeyPrefix } from './run-record.js'
import { sweepKeyPrefix } from './sweep-record.js'

type Extension = 'html' | 'json'

export const runReportKey = (runId: Sha256, extension: Extension): StoreKey =>
  `${runKeyPrefix(runId)}report.${extension}`

export const sweepReportKey = (sweepId: Sha256, extension: Extension): StoreKey =>
  `${sweepKeyPrefix(sweepId)}report.${extension}`
