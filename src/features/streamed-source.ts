// Owns features that are larger than memory: chunks in the order asked for, the next ones being read
// meanwhile, in buffers that are used again and again.
import { HeadstartError } from '../errors.js'
import type { Chunk, FeatureSource, LoadedChunk } from './feature-source.js'
import { type LocatedShard, rereadFeatures } from './locate-shard.js'
import type { FeaturePlan } from './plan-chunks.js'
import type { ShardReader } from './shard-reader.js'

/** Buffers of one chunk, one a view. */
type Slot = Uint8Array[]

export interface StreamedSource extends FeatureSource {
  /** Resolves when nothing is being read any more; reading afterwards is refused. */
  close(): Promise<void>
}

export interface StreamRequest {
  readonly plan: FeaturePlan
  readonly reader: ShardReader
  /** [chunk][view]. */
  readonly located: readonly (readonly LocatedShard[])[]
  /** Chunks in memory at once, the one in use among them. */
  readonly chunksInMemory: number
}

export const streamedSource = (request: StreamRequest): StreamedSource => {
  const { plan, reader, located, chunksInMemory } = request
  const { width, largestBytes } = plan
  const chunks: readonly Chunk[] = plan.chunks.map(({ begin, end }) => ({ begin, end }))
  // Readers at the same time have slots of their own; one after the other they use the same.
  const free: Slot[] = []
  const loading = new Set<Promise<unknown>>()
  let isClosed = false

  const bufferOf = (slot: Slot, view: number): Uint8Array => {
    slot[view] ??= new Uint8Array(largestBytes[view] ?? 0)
    return slot[view]
  }

  const load = async (index: number, views: number, slot: Slot): Promise<LoadedChunk> => {
    const [chunk, shards] = [chunks[index], located[index]]
    if (chunk === undefined || shards === undefined)
      throw new RangeError(`there is no chunk ${index}`)
    if (isClosed) throw new HeadstartError('INTERRUPTED', 'the features were closed')
    const reads = shards
      .slice(0, views)
      .map((shard, view) => rereadFeatures(reader, shard, width, bufferOf(slot, view)))
    // A buffer may be used again only when nothing writes to it, so all reads end before one fails.
    const results = await Promise.allSettled(reads)
    return {
      chunk,
      views: results.map((result) => {
        if (result.status === 'rejected') throw result.reason
        return result.value
      }),
    }
  }

  const start = (index: number, views: number) => {
    const slot = free.pop() ?? []
    const chunk = load(index, views, slot)
    // A failure belongs to whoever asks for the chunk; until then it is no unhandled rejection.
    const settled = chunk.catch(() => {}).finally(() => loading.delete(settled))
    loading.add(settled)
    return { slot, chunk, settled }
  }

  async function* read(order: Iterable<number>, views: number): AsyncGenerator<LoadedChunk> {
    const wanted = order[Symbol.iterator]()
    const started: ReturnType<typeof start>[] = []
    const readOn = (): void => {
      while (started.length < chunksInMemory) {
        const next = wanted.next()
        if (next.done === true) return
        started.push(start(next.value, views))
      }
    }
    try {
      for (readOn(); started[0] !== undefined; readOn()) {
        const [{ slot, chunk }] = started as [ReturnType<typeof start>]
        yield await chunk
        started.shift()
        free.push(slot)
      }
    } finally {
      await Promise.all(started.map(({ settled }) => settled))
      free.push(...started.map(({ slot }) => slot))
      wanted.return?.()
    }
  }

  return {
    rows: plan.rows,
    width,
    viewCount: largestBytes.length,
    chunks,
    resident: null,
    read,
    close: async () => {
      isClosed = true
      await Promise.all(loading)
      free.length = 0
    },
  }
}
