// Owns the contract of stage 2 of an experiment: what is asked for and what comes of it.
import type { HeadOutcome } from '../head/fused/types.js'
import type { Sha256 } from '../identity/hash.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import type { Selection, SweepRecord } from '../model/sweep-record.js'
import type { Cut } from './base-schema.js'
import type { Events } from './events.js'
import type { ViewFeatures } from './extraction.js'
import type { KeptFeatures } from './feature-keeper.js'
import type { LocatedDataset } from './references.js'
import type { SweepCandidate, SweepPlan } from './sweep/plan-sweep.js'
import type { Workspace } from './workspace.js'

/** The features of one cut. */
export interface CutFeatures {
  readonly cut: Cut
  /** View 0 first. */
  readonly views: readonly ViewFeatures[]
  /**
   * Features of the first views, opened or as they are open. Borrowed: another cut's may take their
   * place, and whoever asked for the sweep closes what is open at the end.
   */
  readonly open: (views: number) => Promise<KeptFeatures>
  /** Features of every sample in view 0, where they are open. */
  readonly findOpen: () => KeptFeatures | null
  /** Proves once for all heads of the cut that serving computes these features. */
  readonly proveParity: (features: KeptFeatures) => Promise<Parity>
}

export interface SweepRequest {
  readonly workspace: Workspace
  readonly opened: LocatedDataset
  /** One a cut of the experiment, in its order. */
  readonly cuts: readonly CutFeatures[]
  readonly plan: Omit<SweepPlan, 'select' | 'notes'>
  readonly selection: Selection
  readonly seed: number
  /** The best run gets this name. */
  readonly name: string | undefined
  /** What the user called the base; for the record. */
  readonly base: string
  readonly signal: AbortSignal | undefined
  readonly events: Events
}

export interface PlannedHead extends SweepCandidate {
  readonly runId: Sha256
  readonly features: CutFeatures
}

/** What became of one head. */
export interface EndedHead {
  readonly planned: PlannedHead
  /** Null for a run that existed. */
  readonly outcome: HeadOutcome | null
  /** Of a head that was trained to its end, now or before. */
  readonly run: RunRecord | null
}

export interface SweepResult {
  readonly sweep: SweepRecord
  /** One a head that was trained to its end, in the order of the plan. */
  readonly runs: readonly { readonly run: RunRecord; readonly trained: boolean }[]
  readonly best: RunRecord
}
