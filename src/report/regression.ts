// Owns the charts of regression: predicted against actual values, and the residuals of each output.
import { binX, dot, line, rectY, ruleX, ruleY } from '@observablehq/plot'
import type { SplitMetrics } from '../head/types.js'
import { drawFigure } from './figure.js'
import { type Html, html, name } from './html.js'
import { card, grid, note, table } from './parts.js'
import { isValuesPrediction } from './predictions.js'
import { showCount, showNumber, showText } from './text.js'
import type { Prediction } from './types.js'

type ValueMetrics = Extract<SplitMetrics, { kind: 'regression' }>

const MAX_OUTPUTS = 6
const MAX_POINTS = 1500

interface Point {
  readonly actual: number
  readonly predicted: number
}

const isFinitePoint = ({ actual, predicted }: Point): boolean =>
  Number.isFinite(actual) && Number.isFinite(predicted)

/** Evenly spread over the samples, which are in the order of their keys: a uniform choice. */
const spread = <T>(all: readonly T[], limit: number): T[] =>
  all.filter(
    (_, i) => Math.floor((i * limit) / all.length) !== Math.floor(((i - 1) * limit) / all.length),
  )

const scatter = (points: readonly Point[], output: string, split: string): Html => {
  const shown = points.length > MAX_POINTS ? spread(points, MAX_POINTS) : points
  const values = shown.flatMap(({ actual, predicted }) => [actual, predicted])
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return drawFigure(
    {
      title: `Predicted against actual: ${output}`,
      caption: `Each point is a sample of the ${split} split${shown.length < points.length ? ` (${showCount(shown.length)} of ${showCount(points.length)})` : ''}; on the dashed line the prediction is exact.`,
      description: `Scatter of ${shown.length} predictions of ${output} against the actual values.`,
    },
    {
      height: 300,
      marginLeft: 56,
      marginBottom: 38,
      x: { label: 'actual (target units)', ticks: 5, nice: true },
      y: { label: 'predicted (target units)', ticks: 6, grid: true, nice: true },
      marks: [
        line(
          [
            [low, low],
            [high, high],
          ],
          { stroke: 'var(--warm)', strokeDasharray: '4 3' },
        ),
        dot(shown, {
          x: 'actual',
          y: 'predicted',
          r: 2.5,
          fill: 'var(--accent)',
          fillOpacity: 0.55,
        }),
      ],
    },
  )
}

const residuals = (points: readonly Point[], output: string): Html => {
  const values = points.map(({ actual, predicted }) => predicted - actual)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return drawFigure(
    {
      title: `Residuals: ${output}`,
      caption: `Predicted less actual; the mean is ${showNumber(mean)}, and a head without bias is centred on 0.`,
      description: `Histogram of ${values.length} residuals of ${output} with mean ${showNumber(mean)}.`,
    },
    {
      height: 300,
      marginLeft: 52,
      marginBottom: 38,
      x: { label: 'residual (target units)', ticks: 5 },
      y: { label: 'samples', ticks: 6, grid: true, nice: true },
      marks: [
        rectY(values, {
          ...binX({ y: 'count' }, { x: (value: number) => value, thresholds: 24 }),
          fill: 'var(--train)',
          inset: 0.5,
        }),
        ruleX([0], { stroke: 'var(--warm)', strokeDasharray: '4 3' }),
        ruleY([0]),
      ],
    },
  )
}

const outputsTable = (metrics: ValueMetrics): Html =>
  card(
    table(
      'Metrics of each output',
      [
        { title: 'Output' },
        { title: 'MAE', kind: 'number' },
        { title: 'RMSE', kind: 'number' },
        { title: 'R²', kind: 'number' },
      ],
      metrics.perOutput.slice(0, 1000).map((output) => ({
        cells: [
          name(showText(output.name)),
          ...[output.mae, output.rmse, output.r2].map(showNumber),
        ],
      })),
    ),
  )

export const renderRegression = (
  metrics: ValueMetrics,
  predictions: readonly Prediction[],
  split: string,
): Html => {
  const values = predictions.filter(isValuesPrediction)
  const figures = metrics.perOutput.slice(0, MAX_OUTPUTS).flatMap((output, index) => {
    const points = values
      .map(({ actual, predicted }) => ({
        actual: actual[index] ?? Number.NaN,
        predicted: predicted[index] ?? Number.NaN,
      }))
      .filter(isFinitePoint)
    if (points.length === 0) return []
    const title = showText(output.name, 24)
    return [scatter(points, title, split), residuals(points, title)]
  })
  const hidden = metrics.perOutput.length - MAX_OUTPUTS
  return html`${outputsTable(metrics)}${
    figures.length > 0 ? grid(figures) : card(note('No predictions were kept for this run.'))
  }${hidden > 0 ? note(`${showCount(hidden)} more outputs are in the table only.`) : null}`
}
