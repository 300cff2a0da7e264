// Owns the parity gate: features computed again on the serving path against the features that a
// head was trained on. Equal bits on the same engine and device, a stated tolerance elsewhere.
import type { Dataset, SampleReader } from '../dataset/types.js'
import { assertNotAborted, HeadstartError, isHeadstartError } from '../errors.js'
import type { Extractor } from '../extractor/extractor.js'
import type { FeatureBlock } from '../features/feature-set.js'
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
  readonly features: FeatureBlock
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

const isSameEngine = (features: FeatureBlock, engine: EngineInfo): boolean => {
  const now = canonicalJson(engine)
  return features.shards.every(({ engines }) =>
    engines.every((recorded) => canonicalJson(recorded) === now),
  )
}

interface Difference {
  maxAbsDiff: number
  maxRelDiff: number
  bitwise: boolean
  worst: Sha256
}

const compareRow = (
  difference: Difference,
  key: Sha256,
  stored: Float32Array,
  served: Float32Array,
): void => {
  const bits = (values: Float32Array) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  if (bits(stored).equals(bits(served))) return
  difference.bitwise = false
  stored.forEach((value, i) => {
    const distance = Math.abs(value - (served[i] ?? Number.NaN))
    // NaN would lose every comparison that follows.
    const absolute = Number.isFinite(distance) ? distance : Number.POSITIVE_INFINITY
    const relative = Number.isFinite(distance) ? distance / Math.max(1, Math.abs(value)) : absolute
    if (absolute > difference.maxAbsDiff) difference.maxAbsDiff = absolute
    if (relative > difference.maxRelDiff) {
      difference.maxRelDiff = relative
      difference.worst = key
    }
  })
}

/**
 * Computes some features again and compares them.
 *
 * @throws PARITY_FAILED when they differ by more than the tolerance; DATASET_CHANGED when the
 *   content of none of the samples can be read any more.
 */
export const checkParity = async (request: ParityRequest): Promise<Parity> => {
  const { extractor, features, reader } = request
  const picked = pickRows(features.keys.length, request.samples ?? PARITY_SAMPLES)
  const difference: Difference = { maxAbsDiff: 0, maxRelDiff: 0, bitwise: true, worst: '' }
  let compared = 0
  let turn = 0
  for (let start = 0; start < picked.length; turn += 1) {
    assertNotAborted(request.signal)
    const size = BATCH_SIZES[turn % BATCH_SIZES.length] ?? 1
    const rows = picked.slice(start, start + size)
    start += size
    const samples: { key: Sha256; row: number; content: Uint8Array }[] = []
    for (const row of rows) {
      const key = features.keys[row] ?? ''
      try {
        samples.push({ key, row, content: await reader.read(key) })
      } catch (error) {
        if (!isHeadstartError(error, 'DATASET_CHANGED')) throw error
      }
    }
    const served = await extractor.rows(samples)
    served.forEach((answer, i) => {
      const sample = samples[i]
      if (sample === undefined) return
      if (!answer.ok)
        throw new HeadstartError(
          'PARITY_FAILED',
          `${reader.nameOf(sample.key)} has features but is refused when served: ${answer.reason}`,
        )
      const { width } = features
      const stored = features.values.subarray(sample.row * width, (sample.row + 1) * width)
      compareRow(difference, sample.key, stored, answer.features)
      compared += 1
    })
  }
  const engine = extractor.info()
  if (compared === 0 || engine === null)
    throw new HeadstartError('DATASET_CHANGED', 'no sample could be read again to prove parity')
  const tolerance = isSameEngine(features, engine) ? 0 : CROSS_DEVICE_TOLERANCE
  const failed = tolerance === 0 ? !difference.bitwise : !(difference.maxRelDiff <= tolerance)
  if (failed)
    throw new HeadstartError(
      'PARITY_FAILED',
      `features differ by up to ${difference.maxAbsDiff} between training and serving (tolerance ${tolerance})`,
      { details: [`worst sample: ${reader.nameOf(difference.worst)}`] },
    )
  return {
    samples: compared,
    bitwise: difference.bitwise,
    maxAbsDiff: difference.maxAbsDiff,
    tolerance,
    engine,
  }
}
