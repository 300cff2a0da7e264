// Owns the shard task: one shard of an extraction, or a range of its samples.
import { openContent } from '../dataset/open-content.js'
import type { Dataset, SampleReader } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import type { StoredShard } from '../extract/reuse.js'
import { extractShard } from '../extract/shards.js'
import { loadBaseFor } from '../extractor/base/load-for.js'
import type { LoadedBase } from '../extractor/base/loaded-base.js'
import { type Extractor, openExtractor } from '../extractor/extractor.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import { parseShardStoreKey } from '../features/shard-name.js'
import type { Sha256 } from '../identity/hash.js'
import type { ShardPayload } from './jobs.js'
import { createPlanCache, type Plan } from './plan-cache.js'
import type { ShardTask } from './stage-protocol.js'
import type { ShardJobProgress, ShardJobResult } from './types.js'

export interface StageContext<Progress> {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** The engine that ran last stays open: the next shard is most likely its own. */
const createEngineKeeper = (workspace: Workspace) => {
  let base: LoadedBase | undefined
  let open: Extractor | undefined
  const drop = async (): Promise<void> => {
    const closing = open
    open = undefined
    await closing?.close()
  }
  return {
    drop,
    /** Closing what this returns keeps the engine. */
    use: async (id: Sha256, spec: ExtractorSpec): Promise<Extractor> => {
      if (open?.id !== id) {
        await drop()
        base = await loadBaseFor(workspace.store, spec)
        open = openExtractor(spec, base, { settings: workspace.engines })
      }
      return { ...open, close: async () => undefined }
    },
  }
}

/** The content that was read last stays open. */
const createContentKeeper = (workspace: Workspace) => {
  const { store, objects } = workspace
  let last: { readonly name: string; readonly reader: SampleReader } | undefined
  return async ({ datasetId, content }: ShardPayload, dataset: Dataset): Promise<SampleReader> => {
    const name = `${datasetId} ${content}`
    if (last?.name !== name) {
      await last?.reader.close()
      last = undefined
      last = { name, reader: await openContent({ store, objects, dataset, from: content }) }
    }
    return last.reader
  }
}

const storedShards = (keys: readonly string[]): StoredShard[] =>
  keys.flatMap((key) => {
    const name = parseShardStoreKey(key)
    return name === null ? [] : [{ ...name, key, bytes: 0 }]
  })

/** Sample keys of a shard, found again by planning the dataset as the coordinator did. */
const keysOfShard = ({ planned }: Plan, storeKey: string): readonly Sha256[] => {
  const shard = planned.find((one) => one.storeKey === storeKey)
  if (shard === undefined)
    throw new HeadstartError('FEATURES_MISMATCH', `the dataset has no shard ${storeKey}`)
  return shard.keys
}

/** @returns the function that runs shard tasks, one at a time. */
export const createShardStage = (workspace: Workspace, onNotice: (message: string) => void) => {
  const engines = createEngineKeeper(workspace)
  const open = createContentKeeper(workspace)
  const load = createPlanCache(workspace.store)
  return async (
    { payload, isRetry, only }: ShardTask,
    { signal, onProgress }: StageContext<ShardJobProgress>,
  ): Promise<ShardJobResult> => {
    const started = performance.now()
    const plan = await load(payload.extractorId, payload.datasetId)
    const { spec } = plan
    const shardKeys = keysOfShard(plan, payload.storeKey)
    const reader = await open(payload, plan.dataset)
    const keys = only === null ? shardKeys : shardKeys.slice(only.from, only.to)
    try {
      const { shard, computed } = await extractShard(
        {
          store: workspace.store,
          spec,
          keys,
          openExtractor: () => engines.use(payload.extractorId, spec),
          readSample: (key) => reader.read(key),
          nameOf: (key) => reader.nameOf(key),
          signal,
          onProgress: (progress) => onProgress({ kind: 'shard', ...progress }),
          onNotice,
        },
        isRetry || only !== null ? undefined : storedShards(payload.overlapping),
      )
      return {
        kind: 'shard',
        storeKey: shard.key,
        rows: shard.rows,
        computed,
        reused: keys.length - computed,
        quarantined: shard.quarantine.length,
        seconds: (performance.now() - started) / 1000,
      }
    } catch (error) {
      // An engine that failed is not trusted again.
      await engines.drop()
      throw error
    }
  }
}
