// Owns the models that are kept open to predict: each opened once, the least used closed first, none
// closed while somebody uses it.
import { HeadstartError } from '../errors.js'
import type { EngineSettings } from '../extractor/engine-settings.js'
import type { SampleContent } from '../extractor/extractor.js'
import type { Sha256 } from '../identity/hash.js'
import { type Model, openModel } from '../model/open-model.js'
import { type NamedPrediction, predictBatch } from '../model/predict.js'
import type { RunRecord } from '../model/run-record.js'
import type { Store } from '../store/port.js'
import type { Limits } from './limits.js'
import { createMicroBatcher, type MicroBatcher } from './micro-batch.js'

export type Sample = { readonly name: string } & SampleContent

export interface Models {
  /**
   * Predictions in the order of the samples.
   *
   * @throws SERVICE_BUSY when too many samples wait or all models are in use.
   */
  predict(
    run: RunRecord,
    samples: readonly Sample[],
    signal: AbortSignal,
  ): Promise<readonly NamedPrediction[]>
  /** Of a run that is removed. */
  drop(runId: Sha256): void
  /** Models that are open or being opened. */
  count(): number
  close(): Promise<void>
}

interface Open {
  readonly model: Model
  readonly batcher: MicroBatcher<Sample, NamedPrediction>
}

interface Entry {
  readonly open: Promise<Open>
  users: number
  lastUsedMs: number
}

export interface ModelsOptions {
  readonly store: Store
  readonly engines: EngineSettings
  readonly limits: Pick<Limits, 'openModels' | 'modelIdleMs' | 'batchWaitMs' | 'waitingSamples'>
  /** Told how many samples each batch had. */
  readonly onBatch: (samples: number) => void
}

const openForMany = async (run: RunRecord, options: ModelsOptions): Promise<Open> => {
  const { limits, store, onBatch } = options
  const model = await openModel(store, run, { settings: options.engines })
  const batcher = createMicroBatcher<Sample, NamedPrediction>({
    maxBatch: model.extractor.batchSize,
    parallel: model.extractor.parallelBatches,
    maxWaitMs: limits.batchWaitMs,
    maxWaiting: limits.waitingSamples,
    run: (samples) => {
      onBatch(samples.length)
      return predictBatch(model, samples)
    },
  })
  return { model, batcher }
}

const closeOpen = async (open: Promise<Open>): Promise<void> => {
  const opened = await open.catch(() => null)
  await opened?.batcher.close()
  await opened?.model.close()
}

export const createModels = (options: ModelsOptions): Models => {
  const { limits } = options
  /** Least recently used first. */
  const entries = new Map<Sha256, Entry>()
  /** Taken out of the map; closed when the last user is done. */
  const leaving = new Set<Entry>()
  const closing = new Set<Promise<void>>()
  let closed = false

  const close = (entry: Entry): void => {
    leaving.delete(entry)
    const work = closeOpen(entry.open).finally(() => closing.delete(work))
    closing.add(work)
  }

  const remove = (runId: Sha256, entry: Entry): void => {
    entries.delete(runId)
    if (entry.users === 0) close(entry)
    else leaving.add(entry)
  }

  const makeRoom = (): void => {
    if (entries.size < limits.openModels) return
    const unused = [...entries].find(([, { users }]) => users === 0)
    if (unused === undefined)
      throw new HeadstartError('SERVICE_BUSY', `${entries.size} other models are in use`)
    remove(...unused)
  }

  const enter = (run: RunRecord): Entry => {
    if (closed) throw new HeadstartError('SERVICE_UNAVAILABLE', 'the service is closing')
    let entry = entries.get(run.runId)
    if (entry === undefined) {
      makeRoom()
      entry = { open: openForMany(run, options), users: 0, lastUsedMs: 0 }
    }
    entries.delete(run.runId)
    entries.set(run.runId, entry)
    entry.users += 1
    return entry
  }

  const leave = (runId: Sha256, entry: Entry, failed: boolean): void => {
    entry.users -= 1
    entry.lastUsedMs = performance.now()
    if (leaving.has(entry)) {
      if (entry.users === 0) close(entry)
    } else if (failed && entries.get(runId) === entry) remove(runId, entry)
  }

  const sweep = setInterval(() => {
    const before = performance.now() - limits.modelIdleMs
    for (const [runId, entry] of entries)
      if (entry.users === 0 && entry.lastUsedMs < before) remove(runId, entry)
  }, limits.modelIdleMs / 2)
  sweep.unref()

  return {
    predict: async (run, samples, signal) => {
      const entry = enter(run)
      let opened = false
      try {
        const { batcher } = await entry.open
        opened = true
        return await batcher.addAll(samples, signal)
      } finally {
        // What did not open is tried again by the next request.
        leave(run.runId, entry, !opened)
      }
    },
    drop: (runId) => {
      const entry = entries.get(runId)
      if (entry !== undefined) remove(runId, entry)
    },
    count: () => entries.size,
    close: async () => {
      closed = true
      clearInterval(sweep)
      // Users are let go first: their requests get their answers or are refused.
      for (const { open } of [...entries.values(), ...leaving])
        await open.then(({ batcher }) => batcher.close()).catch(() => {})
      for (const [runId, entry] of entries) {
        entries.delete(runId)
        close(entry)
      }
      for (const entry of leaving) close(entry)
      await Promise.all(closing)
    },
  }
}
