// Owns stage 2 of an experiment: every head on the same features, the proof that they share, and the
// name of the best run.
import type { FeatureBlock } from '../features/feature-set.js'
import type { HeadSpec } from '../head/spec.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import type { Events } from './events.js'
import type { ViewFeatures } from './extraction.js'
import type { LocatedDataset } from './references.js'
import { bestOf, nameBest } from './result.js'
import { type RunResult, trainRun } from './train-run.js'
import { joinTrainingData } from './training-data.js'
import type { Workspace } from './workspace.js'

export interface TrainHeadsRequest {
  readonly workspace: Workspace
  readonly opened: LocatedDataset
  /** View 0 first, with `blocks` in the same order. */
  readonly views: readonly ViewFeatures[]
  readonly blocks: readonly FeatureBlock[]
  readonly heads: readonly HeadSpec[]
  readonly seed: number
  /** The best run gets this name. */
  readonly name: string | undefined
  /** What the user called the base; for the record. */
  readonly base: string
  /** Proves once for all heads that serving computes these features. */
  readonly proveParity: () => Promise<Parity>
  readonly signal: AbortSignal | undefined
  readonly events: Events
}

/**
 * Trains the heads that have no run yet, one after another.
 *
 * @throws the errors of trainRun, and DATASET_CLASS_TOO_SMALL when quarantine emptied a class.
 */
export const trainHeads = async (
  request: TrainHeadsRequest,
): Promise<{ readonly runs: readonly RunResult[]; readonly best: RunRecord }> => {
  const { workspace, opened, views, blocks, heads, seed, proveParity, signal, events } = request
  const [plain] = views
  if (plain === undefined) throw new RangeError('there is no view')
  const data = joinTrainingData(opened.dataset, blocks, plain.spec.featureShape)
  const from = { base: request.base, dataset: opened.location }
  const runs: RunResult[] = []
  for (const [index, head] of heads.entries()) {
    const position = { head: index, heads: heads.length }
    const shared = { workspace, opened, views, data, seed, from, proveParity, signal, events }
    runs.push(await trainRun({ ...shared, head, position }))
  }
  const best = bestOf(runs)
  if (request.name !== undefined) await nameBest(workspace.store, request.name, best, events)
  return { runs, best }
}
