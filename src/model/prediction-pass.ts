// Owns one pass over features in which several heads predict the samples of their splits. Holds the
// outputs of all of them: whoever asks sees to it that they fit in memory.
import type { Sample, Split } from '../dataset/types.js'
import { assertNotAborted } from '../errors.js'
import type { HeadPredictor } from '../head/predict-head.js'
import { yieldToLoop } from '../head/yield-to-loop.js'
import type { Sha256 } from '../identity/hash.js'
import type { FeatureRows } from './prediction-features.js'

export interface SplitHead {
  readonly head: HeadPredictor
  readonly splits: readonly Split[]
}

/** What a head gives for the samples of a split that have features. */
export interface SplitOutputs {
  /** In key order. */
  readonly keys: readonly Sha256[]
  /** [keys.length, outputs] row-major. */
  readonly values: Float32Array
}

export interface PassRequest {
  readonly heads: readonly SplitHead[]
  /** By key; of the splits that are wanted at least. */
  readonly samples: ReadonlyMap<Sha256, Pick<Sample, 'split'>>
  /** Features in key order; those of other samples are passed over. */
  readonly blocks: AsyncIterable<FeatureRows>
  readonly signal: AbortSignal | undefined
}

/** The rows of a block that are of a split. */
const rowsOfSplit = (
  block: FeatureRows,
  split: Split,
  samples: PassRequest['samples'],
): FeatureRows => {
  const { keys, values } = block
  const rows = [...keys.keys()].filter((row) => samples.get(keys[row] as Sha256)?.split === split)
  if (rows.length === keys.length) return block
  const width = values.length / keys.length
  const picked = new Float32Array(rows.length * width)
  for (const [index, row] of rows.entries())
    picked.set(values.subarray(row * width, (row + 1) * width), index * width)
  return { keys: rows.map((row) => keys[row] as Sha256), values: picked }
}

/** A split, and where the outputs of each head that wants it go. */
const createCollected = ({ heads, samples }: PassRequest, split: Split) => {
  let count = 0
  for (const sample of samples.values()) if (sample.split === split) count += 1
  return {
    split,
    keys: [] as Sha256[],
    heads: heads
      .filter(({ splits }) => splits.includes(split))
      .map(({ head }) => ({ head, values: new Float32Array(count * head.outputs) })),
  }
}

/**
 * @returns one a head, in the order of `heads`: its outputs by split.
 * @throws INTERRUPTED, HEAD_INVALID when the features have another width, and the errors of `blocks`.
 */
export const predictBlocks = async (
  request: PassRequest,
): Promise<readonly ReadonlyMap<Split, SplitOutputs>[]> => {
  const { heads, samples, blocks, signal } = request
  const splits = [...new Set(heads.flatMap((one) => one.splits))]
  const collected = splits.map((split) => createCollected(request, split))
  const pause = yieldToLoop()
  for await (const block of blocks) {
    for (const of of collected) {
      const { keys, values } = rowsOfSplit(block, of.split, samples)
      if (keys.length === 0) continue
      for (const { head, values: outputs } of of.heads) {
        assertNotAborted(signal)
        outputs.set(head.predict(values, keys.length), of.keys.length * head.outputs)
        await pause()
      }
      of.keys.push(...keys)
    }
  }
  return heads.map(
    ({ head }) =>
      new Map(
        collected.flatMap(({ split, keys, heads: own }) =>
          own
            .filter((one) => one.head === head)
            .map(({ values }) => [
              split,
              { keys, values: values.subarray(0, keys.length * head.outputs) },
            ]),
        ),
      ),
  )
}
