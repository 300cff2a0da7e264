// Owns what a long use-case tells while it works. The command line draws it; code may listen.
import type { ExtractionProgress } from '../extract/run.js'
import type { EpochMetrics } from '../head/types.js'

/** Where the training of all heads of an experiment is. */
export interface TrainingProgress {
  /** The head whose epoch ended; counts from 0. */
  readonly head: number
  readonly heads: number
  /** Epochs that ended, of all heads together, and the most that there may be. */
  readonly done: number
  readonly epochs: number
}

export interface Events {
  /** Something worth a line: a choice that was made, a damaged shard, a left-out file. */
  readonly onNotice?: (message: string) => void
  /** Files whose content was looked at. */
  readonly onIndex?: (done: number, total: number) => void
  /** Samples that are in the store; `uploaded` counts those that were not. */
  readonly onPush?: (done: number, total: number, uploaded: number) => void
  readonly onExtract?: (progress: ExtractionProgress, view: number, views: number) => void
  readonly onEpoch?: (epoch: EpochMetrics, progress: TrainingProgress) => void
}
