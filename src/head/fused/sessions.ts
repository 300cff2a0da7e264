// Owns the sessions of a training: one pair a shape of heads, opened when first asked for.
import { forwardGraph, type GraphShape, stepGraph } from './graph.js'
import type { FusedRuntime, FusedSession } from './onnxruntime.js'

export interface SessionPair {
  readonly step: FusedSession
  readonly forward: FusedSession
}

export interface Sessions {
  readonly runtime: FusedRuntime
  /** @throws ENGINE_FAILED */
  get(shape: GraphShape): Promise<SessionPair>
  close(): Promise<void>
}

export const createSessions = (runtime: FusedRuntime): Sessions => {
  const opened = new Map<string, SessionPair>()
  return {
    runtime,
    get: async (shape) => {
      const key = JSON.stringify(shape)
      const found = opened.get(key)
      if (found !== undefined) return found
      const step = await runtime.open(stepGraph(shape))
      const pair = { step, forward: await runtime.open(forwardGraph(shape)) }
      opened.set(key, pair)
      return pair
    },
    close: async () => {
      for (const { step, forward } of opened.values()) {
        await step.close()
        await forward.close()
      }
      opened.clear()
    },
  }
}
