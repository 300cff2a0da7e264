// Owns the stream of stage 1: read, decode and compute the missing rows of the missing shards.
// Memory is bounded by the batches in flight and the shards that they belong to.
import { assertNotAborted, isHeadstartError } from '../errors.js'
import type { Extractor, SampleContent } from '../extractor/extractor.js'
import type { Sha256 } from '../identity/hash.js'
import type { ShardBuilder } from './shard-builder.js'

export interface ComputeRequest {
  /** Called with the first batch; a shard that could be copied whole needs no engine. */
  readonly openExtractor: () => Promise<Extractor>
  /** Builders of the missing shards, filled with what could be copied. Made when their turn comes. */
  readonly builders: AsyncIterable<ShardBuilder>
  readonly readSample: (key: Sha256) => Promise<Uint8Array>
  /** A shard has no missing key left. Other batches go on meanwhile. */
  readonly onComplete: (builder: ShardBuilder) => Promise<void>
  /** Called after each batch with the number of samples that it settled. */
  readonly onBatch: (samples: number) => void
  /** A batch of a shard is done, others are missing. */
  readonly onPart: (builder: ShardBuilder) => Promise<void>
  readonly signal: AbortSignal | undefined
}

interface Batch {
  readonly extractor: Extractor
  readonly builder: ShardBuilder
  readonly keys: readonly Sha256[]
}

async function* batchesOf(request: ComputeRequest): AsyncGenerator<Batch, undefined> {
  for await (const builder of request.builders) {
    const missing = builder.missing()
    if (missing.length === 0) {
      await request.onComplete(builder)
      continue
    }
    const extractor = await request.openExtractor()
    const { batchSize } = extractor
    for (let start = 0; start < missing.length; start += batchSize)
      yield { extractor, builder, keys: missing.slice(start, start + batchSize) }
  }
}

interface ReadBatch {
  readonly samples: readonly SampleContent[]
  /** Samples that are too large: a fault of the content, as if it could not be decoded. */
  readonly refused: number
}

const readBatch = async (
  { builder, keys }: Batch,
  readSample: ComputeRequest['readSample'],
): Promise<ReadBatch> => {
  let refused = 0
  const samples = await Promise.all(
    keys.map(async (key) => {
      try {
        return { key, content: await readSample(key) }
      } catch (error) {
        if (isHeadstartError(error, 'SAMPLE_INVALID')) {
          builder.setQuarantined(key, error.message, 'computed')
          refused += 1
        } else if (isHeadstartError(error, 'DATASET_CHANGED')) builder.setUnreadable(key)
        else throw error
        return null
      }
    }),
  )
  return { samples: samples.filter((sample) => sample !== null), refused }
}

const computeBatch = async (request: ComputeRequest, batch: Batch): Promise<void> => {
  const { extractor, builder } = batch
  const { samples, refused } = await readBatch(batch, request.readSample)
  const rows = await extractor.rows(samples)
  rows.forEach((row, i) => {
    const key = samples[i]?.key ?? ''
    if (row.ok) builder.setRow(key, row.features, 'computed')
    else builder.setQuarantined(key, row.reason, 'computed')
  })
  const info = extractor.info()
  if (info !== null) builder.addEngines([info])
  // Before anything is awaited: exactly one batch sees that its shard became complete.
  const isComplete = builder.remaining === 0
  request.onBatch(samples.length + refused)
  await (isComplete ? request.onComplete(builder) : request.onPart(builder))
}

/**
 * Computes everything that is missing. Several loops draw batches from one stream, so that reading
 * and decoding one batch overlaps computing another. The first failure stops them all.
 */
export const computeMissing = async (request: ComputeRequest): Promise<void> => {
  const batches = batchesOf(request)
  let failed = false
  const loop = async (first?: Batch): Promise<void> => {
    try {
      if (first !== undefined) await computeBatch(request, first)
      for (;;) {
        assertNotAborted(request.signal)
        const next = await batches.next()
        if (next.done || failed) return
        await computeBatch(request, next.value)
      }
    } catch (error) {
      failed = true
      throw error
    }
  }
  assertNotAborted(request.signal)
  const first = await batches.next()
  if (first.done) return
  const others = first.value.extractor.parallelBatches - 1
  const loops = [loop(first.value), ...Array.from({ length: others }, () => loop())]
  const results = await Promise.allSettled(loops)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
