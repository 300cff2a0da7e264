// Owns the stream of stage 1: read, decode and compute the missing rows of the missing shards.
// Memory is bounded by the batches in flight and the shards that they belong to.
import { assertNotAborted, isHeadstartError } from '../errors.js'
import type { Pass, Row, SampleContent } from '../extractor/extractor.js'
import type { Sha256 } from '../identity/hash.js'
import { type MissingSample, missingBatches } from './batches.js'
import type { ShardBuilder } from './shard-builder.js'

export interface ComputeRequest {
  /** Called with the first missing sample; a shard that could be copied whole needs no engine. */
  readonly openPass: () => Promise<Pass>
  /**
   * One an extractor of the pass, in its order: builders of the missing shards, filled with what could
   * be copied, in key order.
   */
  readonly columns: readonly AsyncIterable<ShardBuilder>[]
  readonly readSample: (key: Sha256) => Promise<Uint8Array>
  /** A shard has no missing key left. Other batches go on meanwhile. */
  readonly onComplete: (builder: ShardBuilder) => Promise<void>
  /** Called after each batch with the samples that it settled. */
  readonly onBatch: (settled: readonly MissingSample[]) => void
  /** A batch of a shard is done, others are missing. */
  readonly onPart: (builder: ShardBuilder) => Promise<void>
  readonly signal: AbortSignal | undefined
}

type Read =
  | { readonly kind: 'content'; readonly sample: MissingSample; readonly content: SampleContent }
  /** Too large: a fault of the content, as if it could not be decoded. */
  | { readonly kind: 'refused'; readonly sample: MissingSample; readonly reason: string }
  | { readonly kind: 'unreadable'; readonly sample: MissingSample }

const readOne = async (
  sample: MissingSample,
  readSample: ComputeRequest['readSample'],
): Promise<Read> => {
  const { key } = sample
  try {
    return { kind: 'content', sample, content: { key, content: await readSample(key) } }
  } catch (error) {
    if (isHeadstartError(error, 'SAMPLE_INVALID'))
      return { kind: 'refused', sample, reason: error.message }
    if (isHeadstartError(error, 'DATASET_CHANGED')) return { kind: 'unreadable', sample }
    throw error
  }
}

/** Gives a sample to all that miss it. @param rows one an extractor of the pass. */
const settle = (read: Read, rows: readonly Row[]): void => {
  const { key, takers } = read.sample
  for (const { builder, column } of takers) {
    const row = rows[column]
    if (read.kind === 'unreadable') builder.setUnreadable(key)
    else if (read.kind === 'refused') builder.setQuarantined(key, read.reason, 'computed')
    else if (row?.ok) builder.setRow(key, row.features, 'computed')
    else builder.setQuarantined(key, row?.reason ?? 'it has no features', 'computed')
  }
}

const computeBatch = async (
  request: ComputeRequest,
  pass: Pass,
  batch: readonly MissingSample[],
): Promise<void> => {
  const reads = await Promise.all(batch.map((sample) => readOne(sample, request.readSample)))
  const contents = reads.flatMap((read) => (read.kind === 'content' ? [read.content] : []))
  const rows = await pass.rows(contents)
  let next = 0
  for (const read of reads) {
    settle(read, (read.kind === 'content' ? rows[next] : undefined) ?? [])
    if (read.kind === 'content') next += 1
  }
  const builders = new Set(batch.flatMap(({ takers }) => takers.map(({ builder }) => builder)))
  const info = pass.info()
  if (info !== null) for (const builder of builders) builder.addEngines([info])
  // Before anything is awaited: exactly one batch sees that a shard became complete.
  const complete = new Set([...builders].filter(({ remaining }) => remaining === 0))
  request.onBatch(reads.flatMap((read) => (read.kind === 'unreadable' ? [] : [read.sample])))
  for (const builder of builders)
    await (complete.has(builder) ? request.onComplete(builder) : request.onPart(builder))
}

/**
 * Computes everything that is missing. Several loops draw batches from one stream, so that reading
 * and decoding one batch overlaps computing another. The first failure stops them all.
 */
export const computeMissing = async (request: ComputeRequest): Promise<void> => {
  const { columns, onComplete } = request
  let opening: Promise<Pass> | undefined
  const open = (): Promise<Pass> => {
    opening ??= request.openPass()
    return opening
  }
  const batchSize = async (): Promise<number> => (await open()).batchSize
  const batches = missingBatches({ columns, onComplete, batchSize })
  let failed = false
  const loop = async (first?: readonly MissingSample[]): Promise<void> => {
    try {
      if (first !== undefined) await computeBatch(request, await open(), first)
      for (;;) {
        assertNotAborted(request.signal)
        const next = await batches.next()
        if (next.done || failed) return
        await computeBatch(request, await open(), next.value)
      }
    } catch (error) {
      failed = true
      throw error
    }
  }
  assertNotAborted(request.signal)
  const first = await batches.next()
  if (first.done) return
  const others = (await open()).parallelBatches - 1
  const loops = [loop(first.value), ...Array.from({ length: others }, () => loop())]
  const results = await Promise.allSettled(loops)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
