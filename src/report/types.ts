// Owns what a report is drawn from. Both types are their own JSON: plain, finite, serialisable, without
// a clock, so that the same data gives the same file.
import type { Split, Target } from '../dataset/types.js'
import type { HeadSpec } from '../head/spec.js'
import type { EpochMetrics, SplitMetrics } from '../head/types.js'
import type { Sha256 } from '../identity/hash.js'
import type { RunRecord } from '../model/run-record.js'

/** The splits whose samples are reported one by one; training samples are not. */
export type MeasuredSplit = Exclude<Split, 'train'>

interface PredictedSample {
  readonly key: Sha256
  /** A name to show; from outside, so it is hostile until it is escaped. */
  readonly name: string
}

export interface ClassPrediction extends PredictedSample {
  readonly kind: 'single'
  /** Class indices. */
  readonly actual: number
  readonly predicted: number
  readonly right: boolean
  /** Probability of the predicted class, 0..1. */
  readonly confidence: number
  /** Probability of the actual class, 0..1. */
  readonly trueProbability: number
}

export interface LabelsPrediction extends PredictedSample {
  readonly kind: 'multi'
  /** Sorted class indices, maybe none; predicted are those above 0.5. */
  readonly actual: readonly number[]
  readonly predicted: readonly number[]
  readonly right: boolean
  /** One a class, 0..1. */
  readonly probabilities: readonly number[]
}

export interface ValuesPrediction extends PredictedSample {
  readonly kind: 'regression'
  /** One value an output, in the target's units. */
  readonly actual: readonly number[]
  readonly predicted: readonly number[]
}

export type Prediction = ClassPrediction | LabelsPrediction | ValuesPrediction

/** A quarantined sample with a name to show. */
export interface QuarantinedSample {
  readonly name: string
  readonly reason: string
}

/** All that the report of one run says. */
export interface RunReport {
  readonly kind: 'run'
  /** Metrics, history, parity, lineage ids and versions. */
  readonly run: RunRecord
  /** Null where the split has no sample, or was not read (all but the best head of a sweep). */
  readonly predictions: Readonly<Record<MeasuredSplit, readonly Prediction[] | null>>
  /** `data:image/jpeg;base64,...` by sample key, as makeThumbnail gives them; others are not shown. */
  readonly thumbnails: Readonly<Record<Sha256, string>>
  /** All quarantined samples; the page lists the first 100 and counts the rest. */
  readonly quarantine: readonly QuarantinedSample[]
  /** What indexing noticed and settled. */
  readonly notes: readonly string[]
}

export const HEAD_STATES = ['trained', 'pruned', 'diverged'] as const
export type HeadState = (typeof HEAD_STATES)[number]

/** One head of a sweep. */
export interface SweepHead {
  /** Short and unique within the sweep, e.g. `#12`. */
  readonly label: string
  readonly cut: string
  readonly pooling: string
  /** Views that it trained on, the plain one included. */
  readonly views: number
  readonly spec: HeadSpec
  readonly seed: number
  readonly state: HeadState
  /** The published run; null for heads that were not published. */
  readonly runId: Sha256 | null
  /** Where its report lies, relative to this one; null: no link. */
  readonly reportHref: string | null
  /** Epochs that it trained, and the one whose weights count; null where none does. */
  readonly epochs: number
  readonly bestEpoch: number | null
  /** The selecting metric on validation, the mean over folds where there are any; null if it diverged. */
  readonly value: number | null
  /** The selecting metric of each fold. */
  readonly folds: readonly number[] | null
  /** Up to its last finite epoch. */
  readonly history: readonly EpochMetrics[]
}

/** All that the report of a sweep says. */
export interface SweepReport {
  readonly kind: 'sweep'
  readonly sweepId: Sha256
  /** ISO 8601; given, never read from a clock here. */
  readonly createdAt: string
  readonly target: Target
  /** What chose the best head, on validation. */
  readonly select: {
    /** e.g. `accuracy`, `macroF1`, `loss`, `rmse`. */
    readonly metric: string
    readonly higherIsBetter: boolean
  }
  readonly base: { readonly id: Sha256; readonly from: string }
  readonly dataset: {
    readonly datasetId: Sha256
    readonly contentId: Sha256
    readonly from: string
    readonly samples: Readonly<Record<Split, number>>
    readonly quarantined: number
  }
  /** One a cut, pooling and view. */
  readonly featureSetIds: readonly Sha256[]
  /** How the heads were made and stopped, in words for people, e.g. `random search, 64 of 4,096`. */
  readonly plan: string
  /** In the order of the experiment. */
  readonly heads: readonly SweepHead[]
  /** Null when every head diverged. The test split was read for this head alone, once. */
  readonly best: {
    /** The label of the head. */
    readonly label: string
    readonly validation: SplitMetrics | null
    readonly test: SplitMetrics | null
  } | null
  readonly seconds: { readonly train: number }
  readonly versions: Readonly<Record<string, string>>
  readonly notes: readonly string[]
}
