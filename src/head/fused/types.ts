// Owns the contract of training many heads together: what is asked for and what becomes of each head.
import type { Checkpoint } from '../checkpoint.js'
import type { PresetSpec } from '../spec.js'
import type { EpochMetrics, SplitMetrics, TrainedHead, TrainingData } from '../types.js'

export interface TogetherHead {
  readonly spec: PresetSpec
  readonly seed: number
  /** Views that are drawn from, view 0 among them; at most those of the features. */
  readonly views: number
}

/** Cross-validation: each head is trained `count` times more, without the train rows of one fold each. */
export interface Folds {
  readonly count: number
  /** The fold of each row, below `count`; only those of train rows matter. */
  readonly of: Uint8Array
}

/**
 * Successive halving (Jamieson and Talwalkar, "Non-stochastic best arm identification and
 * hyperparameter optimization", AISTATS 2016): after `epochs`, `epochs * factor`, ... epochs the best
 * 1 / factor of the heads that still train go on, at least one.
 */
export interface Halving {
  readonly epochs: number
  readonly factor: number
  /** Of the validation split. */
  readonly metric: 'loss' | 'score'
}

export interface TogetherRequest {
  /** Borrowed; never written to. */
  readonly data: TrainingData
  readonly heads: readonly TogetherHead[]
  readonly folds?: Folds | null | undefined
  readonly halving?: Halving | null | undefined
  /**
   * Weights that are trained at one time, folds counted; heads beyond that come after the others have
   * ended. Each takes 28 bytes, and up to 8 more with early stopping. Default 2^26.
   */
  readonly maxParameters?: number | undefined
  /** That train; 0: this one does. Default: a core each where there is work for seconds. */
  readonly threads?: number | undefined
  /** Makes the training resumable. It is left in place: clear it when the runs are published. */
  readonly checkpoint?: Checkpoint | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after each epoch that was computed here, for each head that was trained in it. */
  readonly onEpoch?: ((head: number, metrics: EpochMetrics) => void) | undefined
  /** Called at most once, when the checkpoint cannot be saved; the training goes on. */
  readonly onNotice?: ((message: string) => void) | undefined
}

export interface FoldResult {
  readonly fold: number
  readonly bestEpoch: number
  /** Of the rows that this training did not see. */
  readonly metrics: SplitMetrics
}

export type HeadOutcome =
  | {
      readonly state: 'trained'
      /** Its metrics are those of the train and the validation split. */
      readonly head: TrainedHead
      /** Null without cross-validation. */
      readonly folds: readonly FoldResult[] | null
    }
  | {
      readonly state: 'diverged'
      readonly epoch: number
      readonly message: string
      readonly history: readonly EpochMetrics[]
    }
  | {
      readonly state: 'pruned'
      /** The last one that was trained. */
      readonly epoch: number
      readonly history: readonly EpochMetrics[]
    }
