// Owns the shard task: one segment of an extraction, or a range of its samples.
import { openContent } from '../dataset/open-content.js'
import type { Dataset, SampleReader } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { Workspace } from '../experiment/workspace.js'
import type { StoredShard } from '../extract/reuse.js'
import { extractShards, type WantedShards } from '../extract/shards.js'
import { loadBaseFor } from '../extractor/base/load-for.js'
import type { LoadedBase } from '../extractor/base/loaded-base.js'
import { openPass, type Pass } from '../extractor/extractor.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import { parseShardStoreKey, shardStoreKey } from '../features/shard-name.js'
import type { ShardPayload } from './jobs.js'
import { createPlanCache, type Plan } from './plan-cache.js'
import type { Segment } from './segments.js'
import type { SampleRange, ShardTask } from './stage-protocol.js'
import type { ShardJobProgress, ShardJobResult } from './types.js'

export interface StageContext<Progress> {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** The engine that ran last stays open: the next shard is most likely its own. */
const createEngineKeeper = (workspace: Workspace) => {
  let base: LoadedBase | undefined
  let open: { readonly name: string; readonly pass: Pass } | undefined
  const drop = async (): Promise<void> => {
    const closing = open
    open = undefined
    await closing?.pass.close()
  }
  return {
    drop,
    /** Closing what this returns keeps the engine. */
    use: async (specs: readonly ExtractorSpec[]): Promise<Pass> => {
      const name = specs.map(extractorIdOfSpec).join()
      if (open?.name !== name) {
        await drop()
        base = await loadBaseFor(workspace.store, specs[0] as ExtractorSpec)
        open = { name, pass: openPass(specs, base, { settings: workspace.engines }) }
      }
      return { ...open.pass, close: async () => undefined }
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

/** A segment, found again by planning the dataset as the coordinator did. */
const segmentOf = ({ segments }: Plan, storeKey: string): Segment => {
  const segment = segments.find((one) => one.storeKey === storeKey)
  if (segment === undefined)
    throw new HeadstartError('FEATURES_MISMATCH', `the dataset has no shard ${storeKey}`)
  return segment
}

/** All shards of the segment; of a range of its samples one shard for each extractor that lacks some. */
const wantedOf = async (
  { store }: Workspace,
  { specs }: Plan,
  segment: Segment,
  only: SampleRange | null,
): Promise<WantedShards[]> => {
  const whole = segment.shards.map((shards, i) => ({ spec: specs[i] as ExtractorSpec, shards }))
  if (only === null) return whole
  const keys = segment.keys.slice(only.from, only.to)
  const wanted: WantedShards[] = []
  for (const { spec, shards } of whole) {
    const heads = await Promise.all(shards.map(({ storeKey }) => store.head(storeKey)))
    const storeKey = shardStoreKey(extractorIdOfSpec(spec), keys)
    if (heads.includes(null)) wanted.push({ spec, shards: [{ keys, storeKey }] })
  }
  return wanted
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
    const plan = await load(payload.extractorIds, payload.datasetId)
    const segment = segmentOf(plan, payload.storeKey)
    const reader = await open(payload, plan.dataset)
    const keys = only === null ? segment.keys : segment.keys.slice(only.from, only.to)
    const { overlapping } = payload
    try {
      const { shards, computed } = await extractShards(
        {
          store: workspace.store,
          keys,
          openPass: engines.use,
          readSample: (key) => reader.read(key),
          nameOf: (key) => reader.nameOf(key),
          signal,
          onProgress: (progress) => onProgress({ kind: 'shard', ...progress }),
          onNotice,
        },
        await wantedOf(workspace, plan, segment, only),
        isRetry || only !== null || overlapping === null ? undefined : storedShards(overlapping),
      )
      const quarantined = new Set(
        shards.flatMap(({ quarantine }) => quarantine.map(({ key }) => key)),
      )
      return {
        kind: 'shard',
        storeKey: payload.storeKey,
        rows: keys.length - quarantined.size,
        computed,
        reused: keys.length - computed,
        quarantined: quarantined.size,
        seconds: (performance.now() - started) / 1000,
      }
    } catch (error) {
      // An engine that failed is not trusted again.
      await engines.drop()
      throw error
    }
  }
}
