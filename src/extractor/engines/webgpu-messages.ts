// Owns what an engine thread and the process of its webgpu engine say to each other: one task, one answer.
import { type ErrorCode, HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { TfjsBase } from '../base/loaded-base.js'
import type { EngineSettings } from '../engine-settings.js'
import type { EngineInput, EngineRequest } from './engine.js'

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

/** Errors lose their class on the way between processes, so they travel as data. */
export interface WebgpuFailure {
  readonly ok: false
  readonly code: ErrorCode
  readonly message: string
  readonly details: readonly string[]
}

export type WebgpuAnswer =
  | { readonly ok: true; readonly result: WebgpuResultOf[keyof WebgpuResultOf] }
  | WebgpuFailure

export const toFailure = (error: unknown): WebgpuFailure => {
  const known = error instanceof HeadstartError
  return {
    ok: false,
    code: known ? error.code : 'ENGINE_FAILED',
    message: messageOf(error),
    details: known ? error.details : [],
  }
}
