// Owns calibration: whether a probability of 0.8 is right in 80 of 100 cases. Pure.
import type { Prediction } from './types.js'

/** As in Guo et al., On Calibration of Modern Neural Networks (2017). */
export const BINS = 15

export interface CalibrationBin {
  /** Confidences above `from` and up to `to`; 0 is in the first bin. */
  readonly from: number
  readonly to: number
  readonly count: number
  /** Means over the bin; 0 where it is empty. */
  readonly confidence: number
  readonly accuracy: number
}

export interface Calibration {
  readonly bins: readonly CalibrationBin[]
  readonly count: number
  /** Expected calibration error: sum of |accuracy - confidence| weighted by the bins' shares, 0..1. */
  readonly ece: number
  /** The largest |accuracy - confidence| of a bin. */
  readonly mce: number
}

interface Judged {
  readonly confidence: number
  readonly right: boolean
}

/**
 * Single: confidence of the predicted class, right or not. Multi: each label's probability, present or
 * not. Regression has none.
 */
function* judgedOf(predictions: readonly Prediction[]): Generator<Judged> {
  for (const prediction of predictions) {
    if (prediction.kind === 'single') yield prediction
    if (prediction.kind !== 'multi') continue
    const labelled = new Set(prediction.actual)
    for (const [index, confidence] of prediction.probabilities.entries())
      yield { confidence, right: labelled.has(index) }
  }
}

/** Equal-width bins (m-1)/M < confidence <= m/M; null where there is nothing to judge. */
export const calibrationOf = (
  predictions: readonly Prediction[],
  size = BINS,
): Calibration | null => {
  const sums = Array.from({ length: size }, () => ({ count: 0, confidence: 0, right: 0 }))
  let count = 0
  for (const { confidence, right } of judgedOf(predictions)) {
    const index = Math.min(size - 1, Math.max(0, Math.ceil(confidence * size) - 1))
    const sum = sums[index]
    if (sum === undefined) continue
    sum.count += 1
    sum.confidence += confidence
    sum.right += right ? 1 : 0
    count += 1
  }
  if (count === 0) return null
  const bins = sums.map((sum, index) => ({
    from: index / size,
    to: (index + 1) / size,
    count: sum.count,
    confidence: sum.count > 0 ? sum.confidence / sum.count : 0,
    accuracy: sum.count > 0 ? sum.right / sum.count : 0,
  }))
  const gaps = bins.map((bin) => Math.abs(bin.accuracy - bin.confidence))
  const ece = bins.reduce((total, bin, i) => total + (bin.count / count) * (gaps[i] ?? 0), 0)
  return { bins, count, ece, mce: Math.max(...gaps) }
}
