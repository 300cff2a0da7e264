// Owns the groups that one thread computes for. Refuses work once its training was stopped.
import { HeadstartError } from '../../errors.js'
import type { GroupHost } from './host.js'
import { type HostedGroup, openHostedGroup } from './hosted-group.js'
import { openFusedRuntime } from './onnxruntime.js'
import { createSessions } from './sessions.js'

/** Around each call of onnxruntime; throws INTERRUPTED where the training is to stop. */
export type Guarded = (work: () => Promise<void>) => Promise<void>

/** Of a product. Another number gives other last bits, and gains little at the rows of a step. */
const THREADS = 1

/** Of shared memory, which onnxruntime does not take; other memory as it is. */
const ownCopy = (values: Float32Array): Float32Array =>
  values.buffer instanceof SharedArrayBuffer ? new Float32Array(values) : values

/** @throws ENGINE_UNAVAILABLE */
export const createGroupHost = async (guarded: Guarded): Promise<GroupHost> => {
  const sessions = createSessions(await openFusedRuntime(THREADS))
  const groups = new Map<number, HostedGroup>()
  // One request at a time: the features of a step lie in the same memory for all groups.
  let memory = new Float32Array(0)
  const scratch = (length: number): Float32Array => {
    if (memory.length < length) memory = new Float32Array(length)
    return memory.subarray(0, length)
  }
  const groupOf = (id: number): HostedGroup => {
    const group = groups.get(id)
    if (group === undefined) throw new HeadstartError('ENGINE_FAILED', `there is no group ${id}`)
    return group
  }
  return {
    open: async (order) => {
      groups.set(order.id, await openHostedGroup(order, sessions, scratch))
    },
    close: async (ids) => {
      for (const id of ids) groups.delete(id)
    },
    train: async (ids, block, first) => {
      for (const group of ids.map(groupOf)) {
        const { batchSize } = group.order
        for (let begin = 0, step = first; begin < block.count; begin += batchSize, step += 1)
          await guarded(() => group.step(block, begin, step))
      }
    },
    predict: async (ids, features, count, into) => {
      const own = ownCopy(features)
      for (const [index, group] of ids.map(groupOf).entries())
        await guarded(() => group.predict(own, count, into[index] as Float32Array))
    },
    store: async (ids) => {
      for (const group of ids.map(groupOf)) group.store()
    },
    end: async () => {
      groups.clear()
      await sessions.close()
    },
  }
}
