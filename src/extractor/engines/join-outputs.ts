// Owns laying the outputs of several cuts into one block of rows, and nothing else.
import { widthOf } from '../../features/shard.js'
import type { EngineOutput } from './engine.js'

/**
 * @param outputs float32 [count, ...shape] each.
 * @returns float32 [count, sum of widths]: in each row the outputs one after the other. A single
 *   output is returned as it is, not copied.
 */
export const joinOutputs = (outputs: readonly EngineOutput[], count: number): EngineOutput => {
  const [only, ...others] = outputs
  if (only !== undefined && others.length === 0) return only
  const widths = outputs.map(({ shape }) => widthOf(shape))
  const total = widths.reduce((sum, width) => sum + width, 0)
  const values = new Float32Array(count * total)
  let offset = 0
  for (const [index, output] of outputs.entries()) {
    const width = widths[index] as number
    for (let row = 0; row < count; row += 1)
      values.set(output.values.subarray(row * width, (row + 1) * width), row * total + offset)
    offset += width
  }
  return { values, shape: [total] }
}
