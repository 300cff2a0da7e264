// Owns engine threads: how many, what they are asked, what happens when one dies.
import { availableParallelism, totalmem } from 'node:os'
import { Piscina } from 'piscina'
import { HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import { workerUrl } from '../../features/worker-url.js'
import type { LoadedBase } from '../base/loaded-base.js'
import type { CompiledGraph } from '../compile/compiled-graph.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../engine-settings.js'
import type { EngineName } from '../spec.js'
import type { BaseInspection, EngineRequest } from './engine.js'
import type { Forwarded, HostAnswer, HostData, HostResult, HostStart, HostTask } from './host.js'
import { closeNativeGuard, openNativeGuard } from './native-guard.js'
import { mayUseGpu, prepareOnnxruntimeEnvironment } from './onnxruntime-environment.js'
import { prepareTensorflowEnvironment } from './tensorflow-process.js'

export interface EnginePool {
  readonly threads: number
  readonly usesGpu: boolean
  /** Takes the data over: the caller must not use it afterwards. */
  forward(task: HostTask): Promise<Forwarded>
  close(): Promise<void>
}

/** While one batch is on a GPU the other one is copied. */
const THREADS_A_GPU = 2
/** Of the machine's memory, for the weights of all engine threads; each holds them about three times. */
const WEIGHTS_SHARE = 0.25
const COPIES_OF_WEIGHTS = 3

interface Shares {
  readonly threads: number
  /** Threads within one forward pass. */
  readonly intraThreads: number
  readonly usesGpu: boolean
}

/**
 * How the cores are shared. wasm and onnxruntime compute each batch on one core, in an engine thread for
 * each, or in fewer with more cores each where the weights are large; libtensorflow has threads of its own.
 */
export const shareCores = (
  { engine, settings, base }: Pick<EngineRequest, 'engine' | 'settings' | 'base'>,
  cores = Math.max(1, availableParallelism()),
  memory = totalmem(),
): Shares => {
  if (engine === 'wasm') return { threads: cores, intraThreads: 1, usesGpu: false }
  if (engine !== 'onnxruntime') return { threads: 1, intraThreads: cores, usesGpu: false }
  if (mayUseGpu(settings.device)) return { threads: THREADS_A_GPU, intraThreads: 1, usesGpu: true }
  const bytes = base.format === 'onnx' ? base.model.length * COPIES_OF_WEIGHTS : 0
  const fitting = bytes === 0 ? cores : Math.floor((WEIGHTS_SHARE * memory) / bytes)
  const threads = Math.min(cores, Math.max(1, fitting))
  return { threads, intraThreads: Math.floor(cores / threads), usesGpu: false }
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

/** Whether onnxruntime computes in the thread itself. */
const usesOnnxruntime = (data: HostData): boolean => {
  switch (data.kind) {
    case 'forward':
      return data.request.engine === 'onnxruntime'
    case 'probe':
      return data.engine === 'onnxruntime'
    case 'inspect':
      return data.base.format === 'onnx'
    case 'compile':
      return false
  }
}

interface Threads {
  readonly pool: Piscina
  /** Stops the threads, after the batch in hand where they cannot be stopped in the middle of one. */
  stop(): Promise<void>
}

const startThreads = (data: HostData, threads: number): Threads => {
  const tensorflow = tensorflowSettingsOf(data)
  if (tensorflow !== null) prepareTensorflowEnvironment(tensorflow)
  prepareOnnxruntimeEnvironment()
  const guard = usesOnnxruntime(data) ? openNativeGuard() : null
  const start: HostStart = { data, guard }
  const pool = new Piscina({
    filename: workerUrl('engine').href,
    workerData: start,
    minThreads: threads,
    maxThreads: threads,
    // Sleeping in Atomics.wait between tasks would keep the thread's own promises from settling.
    atomics: 'disabled',
  })
  return {
    pool,
    stop: async () => {
      if (guard !== null) await closeNativeGuard(guard)
      await pool.destroy()
    },
  }
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
  const { pool, stop } = startThreads(data, 1)
  try {
    return await ask(pool, { data: new Uint8Array(0), count: 0 })
  } finally {
    await stop()
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
  options: { readonly threads?: number | undefined; readonly intraThreads?: number } = {},
): EnginePool => {
  const shares = shareCores(request)
  const threads = options.threads ?? shares.threads
  const intraThreads = options.intraThreads ?? shares.intraThreads
  const data: HostData = { kind: 'forward', request: { ...request, intraThreads } }
  const { pool, stop } = startThreads(data, threads)
  let closed = false
  return {
    threads,
    usesGpu: shares.usesGpu,
    forward: async (task) => {
      // Piscina would start a new thread, and nobody would end it.
      if (closed) throw new HeadstartError('ENGINE_FAILED', 'the extractor was closed')
      return (await ask(pool, task)) as Forwarded
    },
    close: async () => {
      closed = true
      await stop()
    },
  }
}
