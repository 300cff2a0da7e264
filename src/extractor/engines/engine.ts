// Owns the contract between the extractor and what computes, and the messages of an engine thread.
import type { EngineInfo } from '../../features/shard.js'
import type { CutPoint } from '../base/load.js'
import type { LoadedBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import type { ExtractorSpec } from '../spec.js'

/** One loaded base, cut and pooled. Lives in one thread; not reentrant. */
export interface Engine {
  readonly info: EngineInfo
  /**
   * @param input what `EngineRequest.input` says: RGB pixels uint8 [count, height, width, 3], which
   *   the engine normalises, or float32 rows [count, ...shape]. Borrowed: valid during the call.
   * @returns float32 [count, ...feature shape]; of several cuts [count, sum of their widths], in each
   *   row one after the other.
   */
  run(input: EngineInput, count: number): Promise<EngineOutput>
  /** Tensors alive in the engine; constant between runs. */
  tensorCount(): number
  close(): void
}

export type EngineInput = Uint8Array | Float32Array

export interface EngineOutput {
  readonly values: Float32Array
  /** Of one row. */
  readonly shape: number[]
}

/** Where features are read, and how they are pooled there. */
export type EngineCut = Pick<ExtractorSpec, 'cut' | 'pooling'>

/** What an engine needs to know of an extractor. */
export interface EngineRequest extends EngineCut {
  readonly base: LoadedBase
  readonly engine: ExtractorSpec['engine']
  readonly settings: EngineSettings
  readonly precision: ExtractorSpec['precision']
  /**
   * More cuts of the same forward pass. Each has the bits that it has alone: that a layer is read must
   * not change how the others are computed.
   */
  readonly beside?: readonly EngineCut[]
  readonly fixedBatch: number | null
  readonly input: ExtractorSpec['input']
  /** Threads that one forward pass may use, where the engine has threads of its own. */
  readonly intraThreads: number
}

/** All cuts of a request, in the order of its output. */
export const cutsOfRequest = ({ cut, pooling, beside = [] }: EngineRequest): EngineCut[] => [
  { cut, pooling },
  ...beside,
]

/** What inspecting a base finds. */
export interface BaseInspection {
  readonly inputShape: readonly (number | null)[]
  readonly cuts: readonly CutPoint[]
  readonly parameters: number
}

/** Pixels a side of the images with which a base that takes any size is tried. */
export const TRIAL_SIDE = 224
