// Owns engine threads: how many, what they are asked, what happens when one dies.
import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import { workerUrl } from '../../features/worker-url.js'
import type { LoadedBase } from '../base/loaded-base.js'
import type { CompiledGraph } from '../compile/compiled-graph.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../engine-settings.js'
import type { EngineName } from '../spec.js'
import type { BaseInspection, EngineRequest } from './engine.js'
import type { Forwarded, HostAnswer, HostData, HostResult, HostTask } from './host.js'
import { prepareOnnxruntimeEnvironment } from './onnxruntime-environment.js'
import { prepareTensorflowEnvironment } from './tensorflow-process.js'

export interface EnginePool {
  readonly threads: number
  /** Takes the data over: the caller must not use it afterwards. */
  forward(task: HostTask): Promise<Forwarded>
  close(): Promise<void>
}

/**
 * How the cores are shared: engine threads, and threads within one forward pass. wasm and onnxruntime
 * compute each batch on one core, in a thread for each; libtensorflow has threads of its own.
 */
export const threadsOf = (engine: EngineName): { threads: number; intraThreads: number } => {
  const cores = Math.max(1, availableParallelism())
  return engine === 'wasm' || engine === 'onnxruntime'
    ? { threads: cores, intraThreads: 1 }
    : { threads: 1, intraThreads: cores }
}

/** Settings of the tensorflow that the thread will load; null when it loads none. */
const tensorflowSettingsOf = (data: HostData): EngineSettings | null => {
  switch (data.kind) {
    case 'forward':
      return data.request.engine === 'tensorflow' ? data.request.settings : null
    case 'probe':
      return data.engine === 'tensorflow' ? data.settings : null
    case 'inspect':
      return data.base.format === 'saved-model' ? data.settings : null
    case 'compile':
      return null
  }
}

const startPool = (data: HostData, threads: number): Piscina => {
  const tensorflow = tensorflowSettingsOf(data)
  if (tensorflow !== null) prepareTensorflowEnvironment(tensorflow)
  return new Piscina({
    filename: workerUrl('engine').href,
    workerData: data,
    minThreads: threads,
    maxThreads: threads,
    // Sleeping in Atomics.wait between tasks would keep the thread's own promises from settling.
    atomics: 'disabled',
  })
}

const ask = async (pool: Piscina, task: HostTask): Promise<HostResult> => {
  let answer: HostAnswer
  try {
    answer = (await pool.run(task, {
      transferList: task.data.buffer instanceof ArrayBuffer ? [task.data.buffer] : [],
    })) as HostAnswer
  } catch (error) {
    throw new HeadstartError('ENGINE_FAILED', `an engine thread died: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (!answer.ok) throw new HeadstartError(answer.code, answer.message, { details: answer.details })
  return answer.result
}

const askOnce = async (data: HostData): Promise<HostResult> => {
  const pool = startPool(data, 1)
  try {
    return await ask(pool, { data: new Uint8Array(0), count: 0 })
  } finally {
    await pool.destroy()
  }
}

/** @throws ENGINE_UNAVAILABLE when the engine cannot run here. */
export const probeEngineInThread = async (
  engine: EngineName,
  settings: EngineSettings = DEFAULT_ENGINE_SETTINGS,
): Promise<EngineInfo> => (await askOnce({ kind: 'probe', engine, settings })) as EngineInfo

/** @throws BASE_INVALID, BASE_LAYER_UNKNOWN. */
export const inspectBaseInThread = async (
  base: LoadedBase,
  settings: EngineSettings = DEFAULT_ENGINE_SETTINGS,
): Promise<BaseInspection> => (await askOnce({ kind: 'inspect', base, settings })) as BaseInspection

/** @throws BASE_LAYER_UNKNOWN when nothing of it can be compiled. */
export const compileBaseInThread = async (base: LoadedBase): Promise<CompiledGraph> =>
  (await askOnce({ kind: 'compile', base })) as CompiledGraph

/** Starts the threads of one extractor. Close the pool. */
export const createEnginePool = (
  request: Omit<EngineRequest, 'intraThreads'>,
  options: { readonly threads?: number | undefined } = {},
): EnginePool => {
  const shares = threadsOf(request.engine)
  const threads = options.threads ?? shares.threads
  const { intraThreads } = shares
  const pool = startPool({ kind: 'forward', request: { ...request, intraThreads } }, threads)
  let closed = false
  return {
    threads,
    forward: async (task) => {
      // Piscina would start a new thread, and nobody would end it.
      if (closed) throw new HeadstartError('ENGINE_FAILED', 'the extractor was closed')
      return (await ask(pool, task)) as Forwarded
    },
    close: async () => {
      closed = true
      await pool.destroy()
    },
  }
}
