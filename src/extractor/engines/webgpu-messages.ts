// Owns what an engine thread and the process of its webgpu engine say to each other: one task, one answer.
import type { EngineInfo } from '../../features/shard.js'
import type { TfjsBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import type { EngineInput, EngineRequest } from './engine.js'
import type { Failure } from './failure.js'

/** Memory is not shared between processes: the weights travel as a copy. */
export type SentBase = Omit<TfjsBase, 'weights'> & { readonly weights: Uint8Array }

export type WebgpuTask =
  | { readonly kind: 'probe'; readonly settings: EngineSettings }
  | {
      readonly kind: 'open'
      readonly request: Omit<EngineRequest, 'base'>
      readonly base: SentBase
    }
  | { readonly kind: 'run'; readonly input: EngineInput; readonly count: number }

export interface WebgpuResultOf {
  readonly probe: EngineInfo
  readonly open: EngineInfo
  readonly run: {
    readonly values: Float32Array
    readonly shape: readonly number[]
    readonly tensorCount: number
  }
}

export type WebgpuAnswer =
  | { readonly ok: true; readonly result: WebgpuResultOf[keyof WebgpuResultOf] }
  | Failure
