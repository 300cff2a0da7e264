// Owns who computes for a training: this thread alone, or a thread a core with the groups shared out among
// them. Results do not depend on it: a group is computed by one thread from the same numbers.
import { assertNotAborted } from '../../errors.js'
import type { TrainingData } from '../types.js'
import type { GraphShape } from './graph.js'
import { createGroupHost } from './group-host.js'
import { createGroupState, type GroupState } from './group-state.js'
import type { GroupPlan, Pass } from './groups.js'
import type { GroupHost, StepBlock } from './host.js'
import { startHostThread } from './host-thread.js'
import { type LayerShape, parametersOf } from './layers.js'
import { coresHere } from './onnxruntime.js'
import { type GroupShape, stateLength } from './parameter.js'
import type { TaskTargets } from './task-targets.js'

/** Heads that are open with a host. */
export interface Group {
  readonly id: number
  readonly plan: GroupPlan
  /** After the last `store`. */
  readonly state: GroupState
}

export interface Hosts {
  /** How many compute at the same time. */
  readonly count: number
  /** Memory that all hosts can read and write. */
  floats(length: number): Float32Array
  integers(length: number): Int32Array
  /** @param fill writes the weights that the group begins with. */
  open(request: {
    readonly plan: GroupPlan
    readonly batchSize: number
    readonly seed: number
    readonly fill: (state: GroupState) => void
  }): Promise<Group>
  close(groups: readonly Group[]): Promise<void>
  /** All steps of a block. @param first counts from 0. @throws INTERRUPTED, ENGINE_FAILED */
  train(groups: readonly Group[], block: StepBlock, first: number): Promise<void>
  /**
   * [count, heads, units] a group: probabilities, or values of standardised targets; valid until the next call.
   *
   * @param features [count, width]
   */
  predict(
    groups: readonly Group[],
    features: Float32Array,
    count: number,
  ): Promise<readonly Float32Array[]>
  /** Brings the states of groups up to date. */
  store(groups: readonly Group[]): Promise<void>
  end(): Promise<void>
}

interface Seat {
  readonly host: GroupHost
  /** Weights of its groups, in numbers. */
  load: number
}

/** Waits for all, so that nothing is under way when one has failed. */
export const allEnded = async (works: readonly Promise<void>[]): Promise<void> => {
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

const graphOf = (plan: GroupPlan, data: TrainingData, units: number): GraphShape => ({
  task: data.target.kind,
  inputs: data.width,
  units,
  depth: plan.layers.length - 1,
  width: plan.layers.length > 1 ? (plan.layers[0] as LayerShape).units : 0,
  dropout: plan.dropout > 0,
})

/** Less work than this, in weights times rows times epochs, is done before a thread has started. */
const LEAST_WORK = 2 ** 32

/** How many threads to train with: at most one a group and one a core; 0 where they do not pay. */
export const threadsFor = (passes: readonly Pass[], rows: number): number => {
  const groups = passes.flatMap((pass) => pass.groups)
  const steps = groups.flatMap(({ copies, layers }) =>
    copies.map(({ spec }) => parametersOf(layers) * spec.epochs),
  )
  const work = rows * steps.reduce((sum, one) => sum + one, 0)
  return work < LEAST_WORK ? 0 : Math.min(coresHere(), groups.length)
}

interface Seats {
  readonly seats: readonly Seat[]
  end(): Promise<void>
}

const openSeats = async (threads: number, signal: AbortSignal | undefined): Promise<Seats> => {
  if (threads === 0) {
    const guarded = async (work: () => Promise<void>): Promise<void> => {
      assertNotAborted(signal)
      await work()
    }
    const host = await createGroupHost(guarded)
    return { seats: [{ host, load: 0 }], end: () => host.end() }
  }
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const onAbort = (): void => void Atomics.store(stop, 0, 1)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const seats = Array.from({ length: threads }, () => ({ host: startHostThread(stop), load: 0 }))
  return {
    seats,
    end: async () => {
      signal?.removeEventListener('abort', onAbort)
      await allEnded(seats.map(({ host }) => host.end()))
    },
  }
}

/** @param threads 0: this one computes. @throws ENGINE_UNAVAILABLE */
export const createHosts = async (request: {
  readonly threads: number
  readonly data: TrainingData
  readonly targets: TaskTargets
  readonly signal: AbortSignal | undefined
}): Promise<Hosts> => {
  const { threads, data, targets, signal } = request
  const { units } = targets
  const { seats, end } = await openSeats(threads, signal)
  const seatOf = new Map<number, Seat>()
  const predictions = new Map<number, Float32Array>()
  let nextId = 0

  const memory = (bytes: number) =>
    threads === 0 ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes)
  const floats = (length: number) => new Float32Array(memory(4 * length))

  /** The groups of each seat that has some. */
  const bySeat = (groups: readonly Group[]) =>
    seats.flatMap((seat) => {
      const ids = groups.map(({ id }) => id).filter((id) => seatOf.get(id) === seat)
      return ids.length === 0 ? [] : [{ seat, ids }]
    })
  const inAll = (
    groups: readonly Group[],
    work: (host: GroupHost, ids: readonly number[]) => Promise<void>,
  ) => allEnded(bySeat(groups).map(({ seat, ids }) => work(seat.host, ids)))

  const outputOf = ({ id, plan }: Group, rows: number): Float32Array => {
    const length = rows * plan.copies.length * units
    const found = predictions.get(id)
    const output = found !== undefined && found.length >= length ? found : floats(length)
    predictions.set(id, output)
    return output.subarray(0, length)
  }

  return {
    count: seats.length,
    floats,
    integers: (length) => new Int32Array(memory(4 * length)),
    open: async ({ plan, batchSize, seed, fill }) => {
      const { copies, layers, optimizer, dropout } = plan
      const shape: GroupShape = { heads: copies.length, layers, optimizer }
      const state = createGroupState(shape, floats(stateLength(shape)))
      fill(state)
      const seat = seats.reduce((least, other) => (other.load < least.load ? other : least))
      const own = copies.map((copy) => targets.of(copy))
      const perHead = (pick: (of: (typeof own)[number]) => Float32Array): Float32Array => {
        const values = new Float32Array(copies.length * units)
        for (const [index, one] of own.entries()) values.set(pick(one), index * units)
        return values
      }
      const id = nextId
      nextId += 1
      await seat.host.open({
        id,
        graph: graphOf(plan, data, units),
        layers,
        dropout,
        optimizer,
        specs: copies.map(({ spec }) => spec),
        folds: copies.map(({ fold }) => fold ?? -1),
        slope: perHead(({ slope }) => slope),
        offset: perHead(({ offset }) => offset),
        classWeights: perHead(({ classWeights }) => classWeights),
        batchSize,
        seed,
        state: state.values,
      })
      seat.load += parametersOf(layers) * copies.length
      seatOf.set(id, seat)
      return { id, plan, state }
    },
    close: async (groups) => {
      await inAll(groups, (host, ids) => host.close(ids))
      for (const { id, plan } of groups) {
        const seat = seatOf.get(id)
        if (seat !== undefined) seat.load -= parametersOf(plan.layers) * plan.copies.length
        seatOf.delete(id)
        predictions.delete(id)
      }
    },
    train: (groups, block, first) => inAll(groups, (host, ids) => host.train(ids, block, first)),
    predict: async (groups, features, rows) => {
      const outputs = new Map(groups.map((group) => [group.id, outputOf(group, rows)]))
      const outputsOf = (ids: readonly number[]) => ids.map((id) => outputs.get(id) as Float32Array)
      await inAll(groups, (host, ids) => host.predict(ids, features, rows, outputsOf(ids)))
      return groups.map(({ id }) => outputs.get(id) as Float32Array)
    },
    store: (groups) => inAll(groups, (host, ids) => host.store(ids)),
    end,
  }
}
