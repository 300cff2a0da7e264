// Owns keeping the process to its owner: the wasm module of TF.js takes over uncaught exceptions and
// unhandled rejections of the whole process when it starts, and would throw them from its own file.
import type { EventEmitter } from 'node:events'

const EVENTS = ['uncaughtException', 'unhandledRejection']
/** `process` without its overloads, one an event. */
const emitter: EventEmitter = process

/**
 * Starts wasm and takes away the listeners that were added while it started. Whoever adds one of
 * their own in these milliseconds loses it.
 */
export const startWasmQuietly = async <T>(start: () => Promise<T>): Promise<T> => {
  const before = new Set(EVENTS.flatMap((event) => emitter.listeners(event)))
  try {
    return await start()
  } finally {
    for (const event of EVENTS)
      for (const listener of emitter.listeners(event))
        if (!before.has(listener)) emitter.removeListener(event, listener as () => void)
  }
}
