// An Extractor whose forward pass is plain arithmetic: content bytes in, a row out, as the contract
// says; and extractions with it on a real file store.
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError } from '../../src/errors.js'
import { type ExtractionRequest, type ExtractionResult, extract } from '../../src/extract/run.js'
import type { Extractor, Row } from '../../src/extractor/extractor.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../../src/extractor/spec.js'
import type { EngineInfo } from '../../src/features/shard.js'
import { sha256 } from '../../src/identity/hash.js'
import { sampleKeyOfBytes } from '../../src/identity/ids.js'
import type { Store } from '../../src/store/port.js'

export const WIDTH = 3

export const SPEC: ExtractorSpec = {
  version: 1,
  base: { id: sha256('a base'), format: 'layers-model' },
  cut: 'features',
  pooling: 'none',
  input: { kind: 'tensor', dtype: 'float32', shape: [WIDTH] },
  view: { kind: 'plain' },
  engine: 'wasm',
  precision: 'fp32',
  fixedBatch: null,
  featureShape: [WIDTH],
}

const ENGINE: EngineInfo = { engine: 'wasm', version: 'arithmetic 1', device: 'cpu' }

/** The features of a content: its length, its sum and its first byte. */
export const featuresOf = (content: Uint8Array): number[] => [
  content.length,
  content.reduce((sum, byte) => sum + byte, 0),
  content[0] ?? 0,
]

const BROKEN = 'broken'
/** Content that no decoder takes. */
export const brokenSample = (name: string): Uint8Array => Buffer.from(`${BROKEN} ${name}`)
export const sample = (name: string | number): Uint8Array => Buffer.from(`sample ${name}`)

export interface ExtractorOptions {
  readonly batchSize?: number
  readonly parallelBatches?: number
  /** Called before a batch is answered, with the number of those that were; may throw or wait. */
  readonly onRows?: (batch: number, names: readonly string[]) => void | Promise<void>
}

export const createExtractor = (options: ExtractorOptions = {}) => {
  const { batchSize = 4, parallelBatches = 2, onRows } = options
  const seen = { computed: [] as string[], batches: [] as number[] }
  let [active, most, opened, closed] = [0, 0, 0, 0]
  const extractor: Extractor = {
    id: extractorIdOfSpec(SPEC),
    spec: SPEC,
    width: WIDTH,
    batchSize,
    parallelBatches,
    info: () => (seen.batches.length === 0 ? null : ENGINE),
    tensorCount: () => 0,
    close: async () => {
      closed += 1
    },
    rows: async (samples) => {
      active += 1
      most = Math.max(most, active)
      try {
        const names = samples.map(({ content }) => Buffer.from(content).toString())
        await onRows?.(seen.batches.length, names)
        // Later batches answer first, as those of several engine threads may.
        await sleep(seen.batches.length % 2 === 0 ? 3 : 0)
        seen.batches.push(samples.length)
        seen.computed.push(...names)
        return samples.map(
          ({ content }): Row =>
            Buffer.from(content).toString().startsWith(BROKEN)
              ? { ok: false, reason: 'cannot be decoded' }
              : { ok: true, features: Float32Array.from(featuresOf(content)) },
        )
      } finally {
        active -= 1
      }
    },
  }
  return {
    ...seen,
    /** Most batches that were with the extractor at once. */
    mostAtOnce: () => most,
    opened: () => opened,
    closed: () => closed,
    open: async (): Promise<Extractor> => {
      opened += 1
      return extractor
    },
  }
}

export type FakeExtractor = ReturnType<typeof createExtractor>

/** Contents that the extraction of `contents` cannot read any more. */
export interface ExtractOptions
  extends Partial<
    Pick<ExtractionRequest, 'deep' | 'shardRows' | 'signal' | 'onProgress' | 'onNotice'>
  > {
  readonly vanished?: readonly Uint8Array[]
  readonly onRead?: () => void
}

/** Extracts these contents with a real plan and store. */
export const extractContents = (
  store: Store,
  extractor: FakeExtractor,
  contents: readonly Uint8Array[],
  { vanished = [], onRead, ...options }: ExtractOptions = {},
): Promise<ExtractionResult> => {
  const contentOf = new Map(contents.map((content) => [sampleKeyOfBytes(content), content]))
  const gone = new Set(vanished.map(sampleKeyOfBytes))
  const nameOf = (key: string) => Buffer.from(contentOf.get(key) ?? '').toString()
  return extract({
    store,
    spec: SPEC,
    keys: [...contentOf.keys()].sort(),
    openExtractor: extractor.open,
    nameOf,
    readSample: async (key) => {
      onRead?.()
      if (gone.has(key)) throw new HeadstartError('DATASET_CHANGED', `${nameOf(key)} vanished`)
      return contentOf.get(key) ?? new Uint8Array(0)
    },
    ...options,
  })
}

export const samples = (count: number, from = 0): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => sample(from + i))
