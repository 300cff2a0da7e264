// Owns the order of axes: where a base has its channels, and which axes of a cut are spatial.

/** Of the input of a base without its batch axis; null: it takes no RGB images. */
export const imageLayout = (
  inputShape: readonly (number | null)[],
): 'channels-last' | 'channels-first' | null => {
  if (inputShape.length !== 3) return null
  if (inputShape[2] === 3) return 'channels-last'
  return inputShape[0] === 3 ? 'channels-first' : null
}

/**
 * Axes that pooling removes, counted with the batch axis. In a base with channels first, tensors of
 * four axes have theirs first, too; tokens [batch, tokens, channels] have them last in every base.
 */
export const spatialAxes = (rank: number, channelsFirst: boolean): number[] => {
  const first = channelsFirst && rank === 4 ? 2 : 1
  return Array.from({ length: Math.max(0, rank - 2) }, (_, i) => first + i)
}
