// A forward pass that is plain arithmetic: content bytes in, rows out, as the contract says; and
// extractions with it on a real file store.
import { setTimeout as sleep } from 'node:timers/promises'
import { HeadstartError } from '../../src/errors.js'
import { type ExtractionRequest, type ExtractionResult, extract } from '../../src/extract/run.js'
import type { Pass, Row } from '../../src/extractor/extractor.js'
import type { ExtractorSpec } from '../../src/extractor/spec.js'
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

/** Another cut of the same base: wider, so that its shards are cut otherwise. */
export const OTHER_WIDTH = 5
export const OTHER: ExtractorSpec = { ...SPEC, cut: 'other', featureShape: [OTHER_WIDTH] }

/** The features of a content at the other cut. */
export const otherFeaturesOf = (content: Uint8Array): number[] => [...featuresOf(content), 1, 2]

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
  const passOf = (specs: readonly ExtractorSpec[]): Pass => ({
    specs,
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
        return samples.map(({ content }): Row[] =>
          specs.map(({ cut }) => {
            if (Buffer.from(content).toString().startsWith(BROKEN))
              return { ok: false, reason: 'cannot be decoded' }
            const features = cut === OTHER.cut ? otherFeaturesOf(content) : featuresOf(content)
            return { ok: true, features: Float32Array.from(features) }
          }),
        )
      } finally {
        active -= 1
      }
    },
  })
  const asked: string[][] = []
  return {
    ...seen,
    /** Most batches that were with the extractor at once. */
    mostAtOnce: () => most,
    opened: () => opened,
    closed: () => closed,
    /** The cuts of each pass that was opened. */
    asked: (): readonly (readonly string[])[] => asked,
    open: async (specs: readonly ExtractorSpec[]): Promise<Pass> => {
      opened += 1
      asked.push(specs.map(({ cut }) => cut))
      return passOf(specs)
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

/** Extracts these contents at some cuts with a real plan and store. */
export const extractCuts = (
  store: Store,
  extractor: FakeExtractor,
  contents: readonly Uint8Array[],
  specs: readonly ExtractorSpec[],
  { vanished = [], onRead, ...options }: ExtractOptions = {},
): Promise<readonly ExtractionResult[]> => {
  const contentOf = new Map(contents.map((content) => [sampleKeyOfBytes(content), content]))
  const gone = new Set(vanished.map(sampleKeyOfBytes))
  const nameOf = (key: string) => Buffer.from(contentOf.get(key) ?? '').toString()
  return extract({
    store,
    specs,
    keys: [...contentOf.keys()].sort(),
    openPass: extractor.open,
    nameOf,
    readSample: async (key) => {
      onRead?.()
      if (gone.has(key)) throw new HeadstartError('DATASET_CHANGED', `${nameOf(key)} vanished`)
      return contentOf.get(key) ?? new Uint8Array(0)
    },
    ...options,
  })
}

/** Extracts these contents at the first cut. */
export const extractContents = async (
  store: Store,
  extractor: FakeExtractor,
  contents: readonly Uint8Array[],
  options: ExtractOptions = {},
): Promise<ExtractionResult> => {
  const [result] = await extractCuts(store, extractor, contents, [SPEC], options)
  if (result === undefined) throw new Error('there is no result')
  return result
}

export const samples = (count: number, from = 0): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => sample(from + i))
