// Owns the thread side of an engine: takes tasks, answers with values or with a coded error.
import { type ErrorCode, HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { LoadedBase } from '../base/load.js'
import { createNormalise } from '../normalise.js'
import type { EngineName, ImageInput } from '../spec.js'
import type { BaseInspection, Engine, EngineRequest } from './engine.js'
import { inspectBase, openEngine, probeEngine } from './open.js'

/** What a thread is started for. */
export type HostData =
  | { readonly kind: 'probe'; readonly engine: EngineName }
  | { readonly kind: 'inspect'; readonly engine: EngineName; readonly base: LoadedBase }
  | {
      readonly kind: 'forward'
      readonly request: EngineRequest
      /** How pixels are normalised; null when the samples are float32 rows already. */
      readonly image: ImageInput | null
    }

/** RGB pixels or float32 rows, back to back. Ignored by probes and inspections. */
export interface HostTask {
  readonly data: Uint8Array | Float32Array
  readonly count: number
}

export interface Forwarded {
  readonly values: Float32Array
  readonly shape: readonly number[]
  readonly info: EngineInfo
  readonly tensorCount: number
}

export type HostResult = EngineInfo | BaseInspection | Forwarded

/** Errors lose their class on the way between threads, so they travel as data. */
export type HostAnswer =
  | { readonly ok: true; readonly result: HostResult }
  | {
      readonly ok: false
      readonly code: ErrorCode
      readonly message: string
      readonly details: readonly string[]
    }

const forward = async (
  engine: Engine,
  normalise: ((pixels: Uint8Array) => Float32Array) | null,
  { data, count }: HostTask,
): Promise<Forwarded> => {
  const input = data instanceof Float32Array ? data : normalise?.(data)
  if (input === undefined)
    throw new HeadstartError('EXTRACTOR_INPUT_MISMATCH', 'pixels for a base that takes rows')
  const { values, shape } = await engine.run(input, count)
  return { values, shape, info: engine.info, tensorCount: engine.tensorCount() }
}

/** Makes the task handler of one thread; the engine is opened with the first task. */
export const createEngineHost = (data: HostData): ((task: HostTask) => Promise<HostAnswer>) => {
  let engine: Promise<Engine> | undefined
  const normalise =
    data.kind === 'forward' && data.image !== null ? createNormalise(data.image) : null

  const handle = async (task: HostTask): Promise<HostResult> => {
    if (data.kind === 'probe') return probeEngine(data.engine)
    if (data.kind === 'inspect') return inspectBase(data.engine, data.base)
    engine ??= openEngine(data.request)
    return forward(await engine, normalise, task)
  }

  return async (task) => {
    try {
      return { ok: true, result: await handle(task) }
    } catch (error) {
      const known = error instanceof HeadstartError
      return {
        ok: false,
        code: known ? error.code : 'ENGINE_FAILED',
        message: messageOf(error),
        details: known ? error.details : [],
      }
    }
  }
}
