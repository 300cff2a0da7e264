// Owns not stopping a thread while onnxruntime computes in it: its binding would abort the whole process.
// One guard a pool, in memory that its threads share.
import { setTimeout } from 'node:timers/promises'

const CLOSING = 0
const BUSY = 1
/** At the exit of the process a batch under way is waited for so long, and no longer. */
const EXIT_WAIT_MS = 10_000
const POLL_MS = 5

export type NativeGuard = SharedArrayBuffer

const viewOf = (guard: NativeGuard): Int32Array<SharedArrayBuffer> => new Int32Array(guard)

/** Thread side: does the work, unless the pool is being closed. */
export const whileGuarded = async <T>(
  guard: NativeGuard | null,
  work: () => Promise<T>,
  refused: () => Error,
): Promise<T> => {
  if (guard === null) return work()
  const view = viewOf(guard)
  // Counted first: who closes looks at the count after it has said so.
  Atomics.add(view, BUSY, 1)
  try {
    if (Atomics.load(view, CLOSING) === 1) throw refused()
    return await work()
  } finally {
    Atomics.sub(view, BUSY, 1)
    Atomics.notify(view, BUSY)
  }
}

const open = new Set<NativeGuard>()

/** `process.exit` ends threads where they are. Nothing asynchronous happens any more here. */
const waitAtExit = (): void => {
  const deadline = Date.now() + EXIT_WAIT_MS
  for (const guard of open) Atomics.store(viewOf(guard), CLOSING, 1)
  for (const guard of open) {
    const view = viewOf(guard)
    for (;;) {
      const busy = Atomics.load(view, BUSY)
      const left = deadline - Date.now()
      if (busy === 0 || left <= 0) break
      Atomics.wait(view, BUSY, busy, left)
    }
  }
}

/** Pool side: from now on the process does not exit in the middle of guarded work. */
export const openNativeGuard = (): NativeGuard => {
  if (open.size === 0) process.on('exit', waitAtExit)
  const guard = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
  open.add(guard)
  return guard
}

const forget = (guard: NativeGuard): void => {
  open.delete(guard)
  if (open.size === 0) process.off('exit', waitAtExit)
}

/** For threads that died: nobody is waited for. */
export const dropNativeGuard = (guard: NativeGuard): void => {
  Atomics.store(viewOf(guard), CLOSING, 1)
  forget(guard)
}

/** Lets no work begin any more, and returns when none is under way: the threads may be stopped then. */
export const closeNativeGuard = async (guard: NativeGuard): Promise<void> => {
  const view = viewOf(guard)
  Atomics.store(view, CLOSING, 1)
  while (Atomics.load(view, BUSY) > 0) await setTimeout(POLL_MS)
  forget(guard)
}
