// Owns the contract between the extractor and what computes, and the messages of an engine thread.
import type { EngineInfo } from '../../features/shard.js'
import type { CutPoint, LoadedBase } from '../base/load.js'
import type { ExtractorSpec } from '../spec.js'

/** One loaded base, cut and pooled. Lives in one thread; not reentrant. */
export interface Engine {
  readonly info: EngineInfo
  /**
   * @param values float32 [count, ...input shape].
   * @returns float32 [count, ...feature shape].
   */
  run(values: Float32Array, count: number): Promise<{ values: Float32Array; shape: number[] }>
  /** Tensors alive in the engine; constant between runs. */
  tensorCount(): number
  close(): void
}

/** What an engine needs to know of an extractor. */
export interface EngineRequest {
  readonly base: LoadedBase
  readonly engine: ExtractorSpec['engine']
  readonly cut: string
  readonly pooling: ExtractorSpec['pooling']
  readonly fixedBatch: number | null
  /** Shape of one input sample. */
  readonly inputShape: readonly number[]
}

/** What inspecting a base finds. */
export interface BaseInspection {
  readonly inputShape: readonly (number | null)[]
  readonly cuts: readonly CutPoint[]
}
