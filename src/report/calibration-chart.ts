// Owns the drawing of calibration: the reliability diagram and how many predictions stand behind it.
import { dot, line, rectY, ruleY } from '@observablehq/plot'
import { type Calibration, type CalibrationBin, calibrationOf } from './calibration.js'
import { drawFigure, legend } from './figure.js'
import type { Html } from './html.js'
import { card, grid, note } from './parts.js'
import { showCount, showPercent } from './text.js'
import type { Prediction } from './types.js'

const AXIS = { domain: [0, 1], ticks: 6, tickFormat: '.1f' } as const

const reliability = (
  { bins, count, ece, mce }: Calibration,
  split: string,
  labels: boolean,
): Html => {
  const filled = bins.filter((bin) => bin.count > 0)
  const what = labels ? 'fraction that has the label' : 'fraction that is right'
  return drawFigure(
    {
      title: `Reliability, ${split}`,
      caption: `A bar below the dashed line is overconfident, one above it underconfident; expected calibration error ${showPercent(ece)}, largest gap ${showPercent(mce)}.`,
      description: `Reliability diagram with ${bins.length} bins over ${count} predictions; expected calibration error ${showPercent(ece)}.`,
      legend: legend([
        { label: what, variable: '--accent' },
        { label: 'mean probability', variable: '--warm' },
      ]),
    },
    {
      height: 280,
      marginLeft: 44,
      marginBottom: 38,
      x: {
        ...AXIS,
        label: labels ? 'probability of a label' : 'probability of the predicted class',
      },
      y: { ...AXIS, label: what, grid: true },
      marks: [
        rectY(filled, {
          x1: 'from',
          x2: 'to',
          y1: 0,
          y2: 'accuracy',
          fill: 'var(--accent)',
          fillOpacity: 0.75,
          inset: 0.75,
          title: (bin: CalibrationBin) =>
            `${showCount(bin.count)} predictions: ${showPercent(bin.accuracy)} at mean probability ${showPercent(bin.confidence)}`,
        }),
        line(
          [
            [0, 0],
            [1, 1],
          ],
          { stroke: 'var(--muted)', strokeDasharray: '4 3' },
        ),
        dot(filled, {
          x: 'confidence',
          y: 'accuracy',
          fill: 'var(--warm)',
          stroke: 'var(--card)',
          r: 3.5,
        }),
        ruleY([0]),
      ],
    },
  )
}

const counts = ({ bins, count }: Calibration, labels: boolean): Html =>
  drawFigure(
    {
      title: 'Predictions in each bin',
      caption: `${showCount(count)} ${labels ? 'pairs of a sample and a label' : 'samples'}; a bin with few of them says little about calibration.`,
      description: `Histogram of ${count} probabilities in ${bins.length} bins.`,
    },
    {
      height: 280,
      marginLeft: 52,
      marginBottom: 38,
      x: {
        ...AXIS,
        label: labels ? 'probability of a label' : 'probability of the predicted class',
      },
      y: { label: labels ? 'sample-label pairs' : 'samples', ticks: 5, grid: true, nice: true },
      marks: [
        rectY(bins, {
          x1: 'from',
          x2: 'to',
          y1: 0,
          y2: 'count',
          fill: 'var(--train)',
          inset: 0.75,
        }),
        ruleY([0]),
      ],
    },
  )

export const renderCalibration = (predictions: readonly Prediction[], split: string): Html => {
  const calibration = calibrationOf(predictions)
  if (calibration === null) return card(note('No predictions were kept for this run.'))
  const labels = predictions[0]?.kind === 'multi'
  return grid([reliability(calibration, split, labels), counts(calibration, labels)])
}
