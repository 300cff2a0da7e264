// Owns reading a few rows of the plain view, wherever the features lie.
import type { Chunk, FeatureSource } from './feature-source.js'

/**
 * Copies of rows of view 0, in the order asked for. Chunks that hold none of them are not read.
 *
 * @param rows any rows of the source, in any order.
 * @throws RangeError when there is no such row, and the errors of FeatureSource.read.
 */
export const readRows = async (
  source: FeatureSource,
  rows: readonly number[],
): Promise<Float32Array[]> => {
  const { chunks, width } = source
  const found: Float32Array[] = []
  const positions = new Map<number, number[]>()
  for (const [position, row] of rows.entries()) {
    const index = chunks.findIndex(({ begin, end }) => begin <= row && row < end)
    if (index < 0) throw new RangeError(`there is no row ${row}`)
    positions.set(index, [...(positions.get(index) ?? []), position])
  }
  const order = [...positions.keys()].sort((one, other) => one - other)
  const wanted = new Map(order.map((index) => [(chunks[index] as Chunk).begin, index]))
  for await (const { chunk, views } of source.read(order, 1)) {
    for (const position of positions.get(wanted.get(chunk.begin) ?? -1) ?? []) {
      const from = ((rows[position] as number) - chunk.begin) * width
      found[position] = (views[0] as Float32Array).slice(from, from + width)
    }
  }
  return found
}
