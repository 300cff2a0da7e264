// Owns hosts in threads of their own: what travels to them, and stopping them. A thread is never ended
// while onnxruntime computes in it: its binding would abort the whole process.
import { Piscina } from 'piscina'
import { HeadstartError, messageOf } from '../../errors.js'
import {
  closeNativeGuard,
  dropNativeGuard,
  openNativeGuard,
} from '../../extractor/engines/native-guard.js'
import { prepareOnnxruntimeEnvironment } from '../../extractor/engines/onnxruntime-environment.js'
import { workerUrl } from '../../features/worker-url.js'
import type { GroupHost } from './host.js'
import type { HostAnswer, HostTask, HostThreadStart, Method } from './serve-host.js'

/** @param stop [1], shared; once it is 1 the thread stops at the next step. */
export const startHostThread = (stop: Int32Array): GroupHost => {
  prepareOnnxruntimeEnvironment()
  const guard = openNativeGuard()
  const start: HostThreadStart = { guard, stop }
  const pool = new Piscina({
    filename: workerUrl('heads').href,
    workerData: start,
    minThreads: 1,
    maxThreads: 1,
    // Sleeping in Atomics.wait between tasks would keep the thread's own promises from settling.
    atomics: 'disabled',
  })

  /** A new thread in its place would have no groups. */
  let death: HeadstartError | null = null
  const onDeath = (cause: unknown): HeadstartError => {
    const message = `a thread that trains heads died: ${messageOf(cause)}`
    death ??= new HeadstartError('ENGINE_FAILED', message, { cause })
    return death
  }
  // Of a thread that dies without a task.
  pool.on('error', onDeath)

  const ask = async (method: Method, ...args: readonly unknown[]): Promise<void> => {
    if (death !== null) throw death
    const task: HostTask = { method, args }
    const answer = (await pool.run(task).catch((cause: unknown) => {
      throw onDeath(cause)
    })) as HostAnswer
    if (!answer.ok)
      throw new HeadstartError(answer.code, answer.message, { details: answer.details })
  }

  return {
    open: (order) => ask('open', order),
    close: (ids) => ask('close', ids),
    train: (ids, block, first) => ask('train', ids, block, first),
    predict: (ids, features, count, into) => ask('predict', ids, features, count, into),
    store: (ids) => ask('store', ids),
    end: async () => {
      // What died in guarded work never says that it is done.
      if (death === null) await closeNativeGuard(guard)
      else dropNativeGuard(guard)
      await pool.destroy()
    },
  }
}
