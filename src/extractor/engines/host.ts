// Owns the thread side of an engine: takes tasks, answers with values or with a coded error.
import { HeadstartError } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import type { LoadedBase } from '../base/loaded-base.js'
import type { CompiledGraph } from '../compile/compiled-graph.js'
import type { EngineSettings } from '../engine-settings.js'
import type { EngineName } from '../spec.js'
import type { BaseInspection, Engine, EngineInput, EngineRequest } from './engine.js'
import { type Failure, toFailure } from './failure.js'
import { type NativeGuard, whileGuarded } from './native-guard.js'
import { compileBase, inspectBase, openEngine, probeEngine } from './open.js'

/** What a thread is started for. */
export type HostData =
  | { readonly kind: 'probe'; readonly engine: EngineName; readonly settings: EngineSettings }
  | { readonly kind: 'inspect'; readonly base: LoadedBase; readonly settings: EngineSettings }
  | { readonly kind: 'compile'; readonly base: LoadedBase }
  | { readonly kind: 'forward'; readonly request: EngineRequest }

/** What a thread is given when it starts. */
export interface HostStart {
  readonly data: HostData
  /** Null where the thread may be stopped at any time. */
  readonly guard: NativeGuard | null
}

/** RGB pixels or float32 rows, back to back. Ignored by everything but forward passes. */
export interface HostTask {
  readonly data: EngineInput
  readonly count: number
}

export interface Forwarded {
  readonly values: Float32Array
  readonly shape: readonly number[]
  readonly info: EngineInfo
  readonly tensorCount: number
}

export type HostResult = EngineInfo | BaseInspection | CompiledGraph | Forwarded

export type HostAnswer = { readonly ok: true; readonly result: HostResult } | Failure

const forward = async (engine: Engine, { data, count }: HostTask): Promise<Forwarded> => {
  const { values, shape } = await engine.run(data, count)
  return { values, shape, info: engine.info, tensorCount: engine.tensorCount() }
}

const closed = () => new HeadstartError('ENGINE_FAILED', 'the extractor was closed')

/** Makes the task handler of one thread; the engine is opened with the first task. */
export const createEngineHost = ({
  data,
  guard,
}: HostStart): ((task: HostTask) => Promise<HostAnswer>) => {
  let engine: Promise<Engine> | undefined

  const handle = async (task: HostTask): Promise<HostResult> => {
    if (data.kind === 'probe') return probeEngine(data.engine, data.settings)
    if (data.kind === 'inspect') return inspectBase(data.base, data.settings)
    if (data.kind === 'compile') return compileBase(data.base)
    engine ??= openEngine(data.request)
    return forward(await engine, task)
  }

  return async (task) => {
    try {
      return { ok: true, result: await whileGuarded(guard, () => handle(task), closed) }
    } catch (error) {
      return toFailure(error)
    }
  }
}
