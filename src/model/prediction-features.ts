// Owns the features that predictions of stored samples are made from, block by block in key order: those
// that are open, or those of the store, of which one shard is in memory at a time. Computes none.
import { assertNotAborted, HeadstartError } from '../errors.js'
import { loadFeatureSet, loadShard } from '../features/feature-set.js'
import type { OpenFeatures } from '../features/open-features.js'
import { widthOf } from '../features/shard.js'
import { plainBatches } from '../head/batches.js'
import { type Sha256, shortId } from '../identity/hash.js'
import type { Store } from '../store/port.js'
import type { RunRecord } from './run-record.js'

const ROWS_A_BLOCK = 1024

/** Features of some samples in view 0; valid until the next block is asked for. */
export interface FeatureRows {
  readonly keys: readonly Sha256[]
  /** [keys.length, width] row-major. */
  readonly values: Float32Array
}

/** Only the samples that are wanted. @throws the errors of FeatureSource.read. */
export async function* openRows(
  { source, keys }: Pick<OpenFeatures, 'source' | 'keys'>,
  isWanted: (key: Sha256) => boolean,
): AsyncGenerator<FeatureRows> {
  const wanted = Uint32Array.from(keys.flatMap((key, row) => (isWanted(key) ? [row] : [])))
  for await (const { rows, count, features } of plainBatches(source, wanted, ROWS_A_BLOCK))
    yield {
      keys: Array.from(rows.subarray(0, count), (row) => keys[row] as Sha256),
      values: features,
    }
}

/**
 * All samples of the feature set that a run was trained on.
 *
 * @throws NOT_FOUND when the features were removed; FEATURES_CORRUPT, FEATURES_MISMATCH, INTERRUPTED.
 */
export async function* storedRows(
  store: Store,
  run: Pick<RunRecord, 'runId' | 'extractors'>,
  signal: AbortSignal | undefined,
): AsyncGenerator<FeatureRows> {
  const id = run.extractors[0]?.featureSetId ?? ''
  const set = await loadFeatureSet(store, id)
  if (set === null)
    throw new HeadstartError(
      'NOT_FOUND',
      `the features of the run ${shortId(run.runId)} were removed (feature set ${shortId(id)}): extract them again`,
    )
  const width = widthOf(set.featureShape)
  for (const entry of set.shards) {
    assertNotAborted(signal)
    const { keys, values, metadata } = await loadShard(store, entry)
    if (metadata.extractorId !== set.extractorId || width * keys.length !== values.length)
      throw new HeadstartError(
        'FEATURES_MISMATCH',
        `shard ${entry.key} belongs to another extractor`,
      )
    for (let begin = 0; begin < keys.length; begin += ROWS_A_BLOCK) {
      const end = Math.min(keys.length, begin + ROWS_A_BLOCK)
      yield { keys: keys.slice(begin, end), values: values.subarray(begin * width, end * width) }
    }
  }
}
