// Owns what a supervisor and its stage process say to each other.
import type { WorkspaceOptions } from '../experiment/workspace.js'
import type { ShardPayload, TrainingPayload } from './jobs.js'
import type {
  ShardJobProgress,
  ShardJobResult,
  TrainingJobProgress,
  TrainingJobResult,
} from './types.js'

/** A range of the shard's sample keys, in their order: [from, to). */
export interface SampleRange {
  readonly from: number
  readonly to: number
}

export interface ShardTask {
  readonly kind: 'shard'
  readonly payload: ShardPayload
  /** Look for older rows in the store instead of trusting the payload: this is not the first try. */
  readonly isRetry: boolean
  /** Only these samples; they are committed as a shard of their own. */
  readonly only: SampleRange | null
}

export interface TrainingTask {
  readonly kind: 'training'
  readonly payload: TrainingPayload
}

export type StageTask = ShardTask | TrainingTask

export interface StageResultOf {
  readonly shard: ShardJobResult
  readonly training: TrainingJobResult
}
export type StageProgress = ShardJobProgress | TrainingJobProgress

/** An error that crosses the border of a process. */
export interface PlainError {
  readonly code: string
  readonly message: string
  readonly details: readonly string[]
}

export type ToStage =
  | { readonly type: 'open'; readonly workspace: WorkspaceOptions }
  | { readonly type: 'run'; readonly id: number; readonly task: StageTask }
  | { readonly type: 'cancel'; readonly id: number }

export type FromStage =
  | { readonly type: 'progress'; readonly id: number; readonly progress: StageProgress }
  | { readonly type: 'notice'; readonly message: string }
  | {
      readonly type: 'done'
      readonly id: number
      readonly result: ShardJobResult | TrainingJobResult
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: PlainError }
