// Owns moving the axes of a constant.

/** Row-major `data` of `shape`, its axes reordered: axis i of the result is axis order[i]. */
export const permute = (
  data: Float32Array,
  shape: readonly number[],
  order: readonly number[],
): Float32Array => {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
  const sizes = order.map((axis) => shape[axis] as number)
  const strides = order.map((axis) => steps[axis] as number)
  const result = new Float32Array(data.length)
  const last = sizes.length - 1
  const [innerSize, innerStride] = [sizes[last] ?? 1, strides[last] ?? 1]
  const index = sizes.map(() => 0)
  let from = 0
  for (let to = 0; to < result.length; to += innerSize) {
    for (let i = 0; i < innerSize; i += 1) result[to + i] = data[from + i * innerStride] as number
    for (let axis = last - 1; axis >= 0; axis -= 1) {
      index[axis] = (index[axis] as number) + 1
      from += strides[axis] as number
      if ((index[axis] as number) < (sizes[axis] as number)) break
      from -= (strides[axis] as number) * (sizes[axis] as number)
      index[axis] = 0
    }
  }
  return result
}
