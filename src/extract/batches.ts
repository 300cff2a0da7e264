// Owns the order of stage 1: the samples that any column misses, in key order, each once, in batches.
// A batch may cross the end of a shard.
import type { Sha256 } from '../identity/hash.js'
import type { ShardBuilder } from './shard-builder.js'

/** A column that takes the row of a sample. */
export interface Taker {
  readonly column: number
  readonly builder: ShardBuilder
}

/** A sample and who misses it, the first column first. */
export interface MissingSample {
  readonly key: Sha256
  readonly takers: readonly [Taker, ...Taker[]]
}

interface Cursor {
  readonly column: number
  readonly builders: AsyncIterator<ShardBuilder>
  builder: ShardBuilder | null
  missing: readonly Sha256[]
  position: number
}

const keyAt = ({ missing, position }: Cursor): Sha256 | undefined => missing[position]

/** Goes to the next shard that misses something. @param onComplete for shards that were copied whole. */
const advance = async (
  cursor: Cursor,
  onComplete: (builder: ShardBuilder) => Promise<void>,
): Promise<void> => {
  while (keyAt(cursor) === undefined) {
    const next = await cursor.builders.next()
    cursor.builder = next.done ? null : next.value
    cursor.missing = cursor.builder?.missing() ?? []
    cursor.position = 0
    if (cursor.builder === null) return
    if (cursor.missing.length === 0) await onComplete(cursor.builder)
  }
}

/** The first key that any cursor stands at, and those that stand at it; they move on. */
const takeNext = (cursors: readonly Cursor[]): MissingSample | null => {
  let least: Sha256 | undefined
  for (const cursor of cursors) {
    const key = keyAt(cursor)
    if (key !== undefined && (least === undefined || key < least)) least = key
  }
  if (least === undefined) return null
  const takers: Taker[] = []
  for (const cursor of cursors) {
    if (cursor.builder === null || keyAt(cursor) !== least) continue
    takers.push({ column: cursor.column, builder: cursor.builder })
    cursor.position += 1
  }
  return { key: least, takers: takers as [Taker, ...Taker[]] }
}

export interface MissingRequest {
  /** One a column, each in key order. */
  readonly columns: readonly AsyncIterable<ShardBuilder>[]
  readonly onComplete: (builder: ShardBuilder) => Promise<void>
  /** Asked when the first sample is missing. */
  readonly batchSize: () => Promise<number>
}

/** Batches of missing samples. One builder a column is open ahead of the batches that are out. */
export async function* missingBatches({
  columns,
  onComplete,
  batchSize,
}: MissingRequest): AsyncGenerator<readonly MissingSample[], undefined> {
  const cursors = columns.map(
    (builders, column): Cursor => ({
      column,
      builders: builders[Symbol.asyncIterator](),
      builder: null,
      missing: [],
      position: 0,
    }),
  )
  let batch: MissingSample[] = []
  let size: number | undefined
  for (;;) {
    for (const cursor of cursors) await advance(cursor, onComplete)
    const sample = takeNext(cursors)
    if (sample === null) break
    batch.push(sample)
    size ??= await batchSize()
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
