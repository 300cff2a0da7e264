// Owns how far weights moved: a comparison of two copies of a base's weights, by name. Pure.

const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** |after - before| / |before|, Euclidean norms over one tensor. */
const relativeChange = (before, after) => {
  const moved = norm(after.map((value, i) => value - before[i]))
  return moved === 0 ? 0 : moved / norm(before)
}

const summary = (changes) => ({
  tensors: changes.length,
  changed: changes.filter((change) => change > 0).length,
  meanRelativeChange: changes.reduce((sum, change) => sum + change, 0) / changes.length,
  maxRelativeChange: Math.max(...changes),
})

/**
 * @param {ReadonlyMap<string, Float32Array>} before
 * @param {ReadonlyMap<string, Float32Array>} after
 */
export const measureDrift = (before, after) => {
  const changesOf = (wanted) =>
    [...before]
      .filter(([name]) => wanted(name.split('/').at(-1)))
      .map(([name, values]) => relativeChange(values, after.get(name)))
  const isMoving = (kind) => kind === 'moving_mean' || kind === 'moving_variance'
  return {
    movingMean: summary(changesOf((kind) => kind === 'moving_mean')),
    movingVariance: summary(changesOf((kind) => kind === 'moving_variance')),
    otherWeights: summary(changesOf((kind) => !isMoving(kind))),
  }
}
