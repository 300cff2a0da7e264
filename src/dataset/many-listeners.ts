// Owns sharing one signal among many requests at once: Node warns of more than ten listeners.
import { setMaxListeners } from 'node:events'

/** A signal that fires with the given one and may have any number of listeners. */
export const withManyListeners = (signal: AbortSignal | undefined): AbortSignal | undefined => {
  if (signal === undefined) return undefined
  const shared = AbortSignal.any([signal])
  setMaxListeners(0, shared)
  return shared
}
