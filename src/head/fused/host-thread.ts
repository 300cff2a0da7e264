// Owns hosts in threads of their own: what travels to them, and stopping them. A thread is never ended
// while onnxruntime computes in it: its binding would abort the whole process.
import { Piscina } from 'piscina'
import { HeadstartError, messageOf } from '../../errors.js'
import { closeNativeGuard, openNativeGuard } from '../../extractor/engines/native-guard.js'
import { prepareOnnxruntimeEnvironment } from '../../extractor/engines/onnxruntime-environment.js'
import { workerUrl } from '../../features/worker-url.js'
import type { GroupHost } from './host.js'
import type { HostAnswer, HostTask, HostThreadStart, Method } from './serve-host.js'

/** A thread with a host; it stops at the next step once `signal` has fired. */
export const startHostThread = (threads: number, signal: AbortSignal | undefined): GroupHost => {
  prepareOnnxruntimeEnvironment()
  const guard = openNativeGuard()
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const onAbort = (): void => void Atomics.store(stop, 0, 1)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const start: HostThreadStart = { threads, guard, stop }
  const pool = new Piscina({
    filename: workerUrl('heads').href,
    workerData: start,
    minThreads: 1,
    maxThreads: 1,
    // Sleeping in Atomics.wait between tasks would keep the thread's own promises from settling.
    atomics: 'disabled',
  })

  const ask = async (method: Method, ...args: readonly unknown[]): Promise<void> => {
    const task: HostTask = { method, args }
    const answer = (await pool.run(task).catch((cause: unknown) => {
      const message = `a thread that trains heads died: ${messageOf(cause)}`
      throw new HeadstartError('ENGINE_FAILED', message, { cause })
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
      signal?.removeEventListener('abort', onAbort)
      await closeNativeGuard(guard)
      await pool.destroy()
    },
  }
}
