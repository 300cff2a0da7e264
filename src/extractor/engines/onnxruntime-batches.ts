// Owns how many samples a run has where equal bits, or the graph, ask for a number. Pads with zeros.
import type { EngineInput } from './engine.js'

/** Runs so many samples at once. @returns float32 [rows, ...shape]. */
export type Runner = (
  input: EngineInput,
  rows: number,
) => Promise<{ values: Float32Array; shape: number[] }>

const padded = (values: EngineInput, length: number): EngineInput => {
  const longer = values instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length)
  longer.set(values)
  return longer
}

/** Cuts the samples into batches of one size; the last one is padded with zeros. */
export const inBatchesOf =
  (batch: number, run: Runner): Runner =>
  async (input, count) => {
    if (count === batch) return run(input, count)
    const width = input.length / count
    let joined: Float32Array | undefined
    let shape: number[] = []
    for (let start = 0; start < count; start += batch) {
      const rows = Math.min(batch, count - start)
      const part = input.subarray(start * width, (start + rows) * width)
      const found = await run(rows < batch ? padded(part, batch * width) : part, batch)
      const features = found.values.length / batch
      joined ??= new Float32Array(count * features)
      joined.set(found.values.subarray(0, rows * features), start * features)
      shape = found.shape
    }
    return { values: joined ?? new Float32Array(0), shape }
  }

/**
 * On a CPU a sample has the same bits in every batch but that of one: there an axis of one is merged
 * with the next, and sums over that run in another order.
 */
export const atLeastTwo = (run: Runner): Runner => {
  const two = inBatchesOf(2, run)
  return (input, count) => (count === 1 ? two(input, count) : run(input, count))
}
