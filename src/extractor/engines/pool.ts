// Owns engine threads: how many, what they are asked, what happens when one dies.
import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { HeadstartError, messageOf } from '../../errors.js'
import type { EngineInfo } from '../../features/shard.js'
import { workerUrl } from '../../features/worker-url.js'
import type { LoadedBase } from '../base/load.js'
import type { EngineName } from '../spec.js'
import type { BaseInspection } from './engine.js'
import type { Forwarded, HostAnswer, HostData, HostResult, HostTask } from './host.js'
import { prepareTensorflowEnvironment } from './tensorflow.js'

export interface EnginePool {
  readonly threads: number
  /** Takes the data over: the caller must not use it afterwards. */
  forward(task: HostTask): Promise<Forwarded>
  close(): Promise<void>
}

/** libtensorflow has threads of its own; wasm has one, so it gets a worker a core. */
const threadsOf = (engine: EngineName): number =>
  engine === 'wasm' ? Math.max(1, availableParallelism()) : 1

const startPool = (data: HostData, threads: number): Piscina => {
  const engine = data.kind === 'forward' ? data.request.engine : data.engine
  if (engine === 'tensorflow') prepareTensorflowEnvironment()
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
export const probeEngineInThread = async (engine: EngineName): Promise<EngineInfo> =>
  (await askOnce({ kind: 'probe', engine })) as EngineInfo

/** @throws BASE_INVALID, BASE_LAYER_UNKNOWN. */
export const inspectBaseInThread = async (base: LoadedBase): Promise<BaseInspection> =>
  (await askOnce({ kind: 'inspect', engine: 'wasm', base })) as BaseInspection

/** Starts the threads of one extractor. Close the pool. */
export const createEnginePool = (
  data: Extract<HostData, { kind: 'forward' }>,
  threads: number = threadsOf(data.request.engine),
): EnginePool => {
  const pool = startPool(data, threads)
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
