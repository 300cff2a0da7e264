// Owns the order of axes: where a base has its channels, and which axes of a cut are spatial.

export type Layout = 'channels-last' | 'channels-first'

/** Of the input of a base, without its batch axis; null: it takes no RGB images. */
export const imageLayout = (inputShape: readonly (number | null)[]): Layout | null => {
  if (inputShape.length !== 3) return null
  if (inputShape[2] === 3) return 'channels-last'
  return inputShape[0] === 3 ? 'channels-first' : null
}

/** [height, width] of images of a layout; null where any will do. */
export const imageSize = (
  inputShape: readonly (number | null)[],
  layout: Layout,
): readonly [number | null, number | null] => {
  const first = layout === 'channels-first' ? 1 : 0
  return [inputShape[first] ?? null, inputShape[first + 1] ?? null]
}

/**
 * Axes that pooling removes, counted with the batch axis. In a base with channels first, tensors of
 * four axes have theirs first, too; tokens [batch, tokens, channels] have them last in every base.
 */
export const spatialAxes = (rank: number, channelsFirst: boolean): number[] => {
  const first = channelsFirst && rank === 4 ? 2 : 1
  return Array.from({ length: Math.max(0, rank - 2) }, (_, i) => first + i)
}

/** The axis that pooling keeps of a cut, counted without the batch axis. */
export const channelAxis = (rank: number, channelsFirst: boolean): number =>
  channelsFirst && rank === 3 ? 0 : rank - 1
