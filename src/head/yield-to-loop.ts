// Owns giving way to the event loop: signals, progress and locks live on it.
import { setImmediate } from 'node:timers/promises'

const MAX_BLOCK_MS = 10

/** A function to await between steps; it gives way when 10 ms have passed since it last did. */
export const yieldToLoop = (): (() => Promise<void>) => {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < MAX_BLOCK_MS) return
    await setImmediate()
    last = performance.now()
  }
}
