// Owns running the Arrow tensor parser in a thread under a deadline; a hung parser is terminated.
import { Worker } from 'node:worker_threads'
import { assertNotAborted, HeadstartError, messageOf } from '../errors.js'
import type { TensorTable } from './arrow-tensor.js'
import { workerUrl } from './worker-url.js'

const DEADLINE_MS = 30_000

/**
 * Parses the bytes of an untrusted Arrow tensor file.
 *
 * @param bytes are moved to the thread: the caller's array is empty afterwards.
 * @throws DATASET_INVALID when the bytes are no such file or the parser does not come to an end.
 */
export const readTensorTableInThread = async (
  bytes: Uint8Array<ArrayBuffer>,
  options: { readonly deadlineMs?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<TensorTable> => {
  const { deadlineMs = DEADLINE_MS, signal } = options
  assertNotAborted(signal)
  const thread = new Worker(workerUrl('arrow-tensor'), {
    workerData: bytes,
    transferList: [bytes.buffer],
  })
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  try {
    return await new Promise<TensorTable>((resolve, reject) => {
      const refuse = (fault: string, cause?: unknown) =>
        reject(new HeadstartError('DATASET_INVALID', `the Arrow file: ${fault}`, { cause }))
      timer = setTimeout(() => refuse(`not parsed within ${deadlineMs / 1000} s`), deadlineMs)
      onAbort = () => reject(new HeadstartError('INTERRUPTED', 'interrupted'))
      signal?.addEventListener('abort', onAbort, { once: true })
      thread.once('message', resolve)
      thread.once('messageerror', (error) => refuse(messageOf(error), error))
      thread.once('error', (error) => refuse(messageOf(error), error))
      thread.once('exit', () => refuse('the parser stopped'))
    })
  } finally {
    clearTimeout(timer)
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort)
    await thread.terminate()
  }
}
