// Owns the parity gate: features computed again on the serving path against the features that a
// head was trained on. Equal bits on the same engine and device, a stated tolerance elsewhere.
import type { Dataset, SampleReader } from '../dataset/types.js'
import { assertNotAborted, HeadstartError, isHeadstartError } from '../errors.js'
import type { Extractor } from '../extractor/extractor.js'
import type { OpenFeatures } from '../features/open-features.js'
import { readRows } from '../features/read-rows.js'
import type { EngineInfo } from '../features/shard.js'
import { canonicalJson } from '../identity/canonical-json.js'
import type { Sha256 } from '../identity/hash.js'
import type { Parity } from './run-record.js'

export const PARITY_SAMPLES = 32

/** Relative to max(1, |feature|): float32 kernels that sum in another order stay well below. */
export const CROSS_DEVICE_TOLERANCE = 1e-3

/** Batch sizes that are served in turn, so that the position in a batch and its size vary. */
const BATCH_SIZES = [1, 3, 2, 7, 5]

export interface ParityRequest {
  readonly extractor: Extractor
  readonly features: Pick<OpenFeatures, 'source' | 'keys' | 'shards'>
  readonly dataset: Dataset
  readonly reader: SampleReader
  readonly samples?: number
  readonly signal?: AbortSignal | undefined
}

/** Rows spread evenly over the keys, first and last included. */
export const pickRows = (rows: number, samples: number): number[] => {
  const count = Math.min(rows, samples)
  return Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.round((i * (rows - 1)) / (count - 1)),
  )
}

/** For each row, whether its shard was computed by this engine, version and device alone. */
const createIsSameEngine = (
  { source, shards }: Pick<OpenFeatures, 'source' | 'shards'>,
  engine: EngineInfo | null,
) => {
  const now = canonicalJson(engine)
  const ends = source.chunks.map(({ end }, i) => ({
    end,
    same: shards[i]?.engines.every((recorded) => canonicalJson(recorded) === now) ?? false,
  }))
  return (row: number): boolean => ends.find((shard) => row < shard.end)?.same ?? false
}

interface Difference {
  maxAbsDiff: number
  maxRelDiff: number
  bitwise: boolean
}

const compareRow = (stored: Float32Array, served: Float32Array): Difference => {
  const difference: Difference = { maxAbsDiff: 0, maxRelDiff: 0, bitwise: true }
  const bits = (values: Float32Array) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  if (bits(stored).equals(bits(served))) return difference
  difference.bitwise = false
  stored.forEach((value, i) => {
    const distance = Math.abs(value - (served[i] ?? Number.NaN))
    // NaN would lose every comparison that follows.
    const absolute = Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY
    const relative = Number.isFinite(distance) ? distance / Math.max(1, Math.abs(value)) : absolute
    if (absolute > difference.maxAbsDiff) difference.maxAbsDiff = absolute
    if (relative > difference.maxRelDiff) difference.maxRelDiff = relative
  })
  return difference
}

interface Served {
  readonly key: Sha256
  readonly row: number
  readonly features: Float32Array
}

/** Samples in the order of `rows`, served in batches of changing size, until enough could be read. */
async function* serveRows(
  { extractor, features, reader, signal }: ParityRequest,
  rows: readonly number[],
  wanted: number,
): AsyncGenerator<Served> {
  let served = 0
  let next = 0
  for (let turn = 0; served < wanted && next < rows.length; turn += 1) {
    assertNotAborted(signal)
    const size = Math.min(BATCH_SIZES[turn % BATCH_SIZES.length] ?? 1, wanted - served)
    const batch: { key: Sha256; row: number; content: Uint8Array }[] = []
    for (; batch.length < size && next < rows.length; next += 1) {
      const row = rows[next] ?? 0
      const key = features.keys[row] ?? ''
      try {
        batch.push({ key, row, content: await reader.read(key) })
      } catch (error) {
        if (!isHeadstartError(error, 'DATASET_CHANGED')) throw error
      }
    }
    const answers = await extractor.rows(batch)
    for (const [i, { key, row }] of batch.entries()) {
      const answer = answers[i]
      if (!answer?.ok)
        throw new HeadstartError(
          'PARITY_FAILED',
          `${reader.nameOf(key)} has features but is refused when served: ${answer?.reason}`,
        )
      served += 1
      yield { key, row, features: answer.features }
    }
  }
}

/** Rows to compare first, then others in their place where a content cannot be read any more. */
const candidates = (rows: number, wanted: number): number[] => [
  ...new Set([...pickRows(rows, wanted), ...pickRows(rows, 8 * wanted)]),
]

/** Served before stored rows are read, so that streamed features are gone through once. */
const serveAll = async (request: ParityRequest, wanted: number): Promise<Served[]> => {
  const served: Served[] = []
  const rows = candidates(request.features.keys.length, wanted)
  for await (const one of serveRows(request, rows, wanted)) served.push(one)
  return served
}

/**
 * Computes some features again and compares them.
 *
 * @throws PARITY_FAILED when they differ by more than the tolerance; DATASET_CHANGED when the content
 *   of fewer than half of the samples asked for can still be read.
 */
export const checkParity = async (request: ParityRequest): Promise<Parity> => {
  const { extractor, features, reader } = request
  const wanted = Math.min(request.samples ?? PARITY_SAMPLES, features.keys.length)
  const served = await serveAll(request, wanted)
  const engine = extractor.info()
  const stored = await readRows(
    features.source,
    served.map(({ row }) => row),
  )
  const isSameEngine = createIsSameEngine(features, engine)
  const total: Difference = { maxAbsDiff: 0, maxRelDiff: 0, bitwise: true }
  const failures: string[] = []
  let tolerance = 0
  for (const [i, { row, key, features: computed }] of served.entries()) {
    const difference = compareRow(stored[i] as Float32Array, computed)
    const allowed = isSameEngine(row) ? 0 : CROSS_DEVICE_TOLERANCE
    const passes = allowed === 0 ? difference.bitwise : difference.maxRelDiff <= allowed
    if (!passes)
      failures.push(`${reader.nameOf(key)}: ${difference.maxAbsDiff} (tolerance ${allowed})`)
    total.maxAbsDiff = Math.max(total.maxAbsDiff, difference.maxAbsDiff)
    total.bitwise &&= difference.bitwise
    tolerance = Math.max(tolerance, allowed)
  }
  if (failures.length > 0)
    throw new HeadstartError(
      'PARITY_FAILED',
      `features differ by up to ${total.maxAbsDiff} between training and serving`,
      { details: failures },
    )
  if (engine === null || served.length < wanted / 2)
    throw new HeadstartError(
      'DATASET_CHANGED',
      `only ${served.length} of ${wanted} samples can still be read to prove parity`,
    )
  const { bitwise, maxAbsDiff } = total
  return { samples: served.length, bitwise, maxAbsDiff, tolerance, engine }
}
