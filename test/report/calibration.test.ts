import { describe, expect, test } from 'vitest'
import { calibrationOf } from '../../src/report/calibration.js'
import type { ClassPrediction, LabelsPrediction } from '../../src/report/types.js'

const judged = (confidence: number, right: boolean): ClassPrediction => ({
  kind: 'single',
  key: '0'.repeat(64),
  name: 'x',
  actual: 0,
  predicted: right ? 0 : 1,
  right,
  confidence,
  trueProbability: right ? confidence : 1 - confidence,
})

describe('calibration', () => {
  test('the expected calibration error is the one calculated by hand', () => {
    // Two bins. (0, 0.5]: one of two right at mean 0.4. (0.5, 1]: all three right at mean 0.8.
    const predictions = [
      judged(0.3, true),
      judged(0.5, false),
      judged(0.7, true),
      judged(0.8, true),
      judged(0.9, true),
    ]
    const calibration = calibrationOf(predictions, 2)
    expect(calibration?.bins.map(({ count }) => count)).toEqual([2, 3])
    expect(calibration?.ece).toBeCloseTo((2 / 5) * 0.1 + (3 / 5) * 0.2, 12)
    expect(calibration?.mce).toBeCloseTo(0.2, 12)
  })

  test('a confidence on an edge is in the bin below it, 0 in the first and 1 in the last', () => {
    const at = (confidence: number) =>
      calibrationOf([judged(confidence, true)], 10)?.bins.findIndex(({ count }) => count === 1)
    expect([0, 0.1, 0.2, 0.5, 1].map(at)).toEqual([0, 0, 1, 4, 9])
    expect(at(0.100001)).toBe(1)
  })

  test('fifteen bins cover 0 to 1 without gaps', () => {
    const bins = calibrationOf([judged(0.6, true)])?.bins ?? []
    expect(bins).toHaveLength(15)
    expect(bins[0]?.from).toBe(0)
    expect(bins.at(-1)?.to).toBe(1)
    expect(bins.slice(1).every((bin, i) => bin.from === bins[i]?.to)).toBe(true)
  })

  test('every label of a sample counts, whether it is above the threshold or not', () => {
    const labels: LabelsPrediction = {
      kind: 'multi',
      key: '0'.repeat(64),
      name: 'x',
      actual: [1],
      predicted: [1],
      right: true,
      probabilities: [0.2, 0.9, 0.4],
    }
    const calibration = calibrationOf([labels], 2)
    expect(calibration?.count).toBe(3)
    expect(calibration?.bins.map(({ accuracy }) => accuracy)).toEqual([0, 1])
  })

  test('values of a regression have no calibration', () => {
    expect(
      calibrationOf([{ kind: 'regression', key: '', name: '', actual: [1], predicted: [1] }]),
    ).toBeNull()
  })
})
