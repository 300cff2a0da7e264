// Owns memory that files of shards are read into, one after another, and who reads and hashes them: this
// thread's pool for a few files, a thread of its own for many.
import { Worker } from 'node:worker_threads'
import { HeadstartError } from '../errors.js'
import { sha256InBackground } from './background-hash.js'
import { type FileOutcome, readShardFile, type ShardFile } from './shard-file.js'
import type { ShardThreadStart } from './shard-thread.js'
import { workerUrl } from './worker-url.js'

export interface ShardBuffer {
  /** Overwritten by the next read. */
  readonly bytes: Uint8Array
  /** One file at a time. @throws the errors of readShardFile. */
  read(file: ShardFile): Promise<FileOutcome>
  /** Call it when no read is under way. */
  close(): Promise<void>
}

/** @param length of the largest file, in bytes. */
export const createShardBuffer = (length: number): ShardBuffer => {
  const bytes = new Uint8Array(length)
  return {
    bytes,
    read: (file) => readShardFile(file, bytes, sha256InBackground),
    close: async () => {},
  }
}

/** The answer of the next message, or why there will be none. */
const askThread = (thread: Worker, file: ShardFile): Promise<FileOutcome | null> =>
  new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      thread.off('message', onMessage)
      thread.off('error', onDeath)
      thread.off('exit', onDeath)
      finish()
    }
    const onMessage = (outcome: FileOutcome | null): void => settle(() => resolve(outcome))
    const onDeath = (cause: unknown): void =>
      settle(() =>
        reject(new HeadstartError('INTERNAL', 'a thread that reads shards died', { cause })),
      )
    thread.on('message', onMessage)
    thread.on('error', onDeath)
    thread.on('exit', onDeath)
    thread.postMessage(file)
  })

/**
 * A buffer with a thread. Its memory is shared and not sent: a buffer that is sent back and forth makes
 * the garbage collector run each time, and that costs more than the hash.
 *
 * @param length of the largest file, in bytes.
 */
export const createThreadBuffer = (length: number): ShardBuffer => {
  const memory = new SharedArrayBuffer(length)
  const workerData: ShardThreadStart = { memory }
  const thread = new Worker(workerUrl('shard-thread'), { workerData })
  // A death between two reads shows in the next one: the thread does not answer but exits.
  thread.on('error', () => {})
  let isDead = false
  thread.on('exit', () => {
    isDead = true
  })
  const bytes = new Uint8Array(memory)
  return {
    bytes,
    read: async (file) => {
      if (isDead) throw new HeadstartError('INTERNAL', 'a thread that reads shards died')
      // What fails there is done again here, where its error says what is wrong.
      return (
        (await askThread(thread, file)) ?? (await readShardFile(file, bytes, sha256InBackground))
      )
    },
    close: async () => {
      await thread.terminate()
    },
  }
}
