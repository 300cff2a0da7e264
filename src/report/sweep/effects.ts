// Owns the metric against each setting that varies: one small chart a setting.
import { dot, ruleY } from '@observablehq/plot'
import { drawFigure, FIGURE_WIDTH } from '../figure.js'
import { type Html, html } from '../html.js'
import { card, grid, note } from '../parts.js'
import { capital, drawnText, metricName, showMetric } from '../text.js'
import type { SweepReport } from '../types.js'
import { axisOf } from './axis.js'
import { headColour } from './colour.js'
import { type RankedHead, spreadOverRanks } from './ranking.js'
import type { Varying } from './varying.js'

const MAX_DOTS = 300
const MAX_CHARTS = 12

interface Point {
  readonly x: number
  readonly value: number
  readonly goodness: number
  readonly best: boolean
  readonly label: string
}

const drawEffect = (report: SweepReport, ranked: readonly RankedHead[], setting: Varying): Html => {
  const { heads, select } = report
  const axis = axisOf(setting)
  const places = new Map(heads.map((head, index) => [head, index]))
  const points = spreadOverRanks(ranked, MAX_DOTS).flatMap(({ head, rank }): Point[] => {
    const x = axis.position(setting.values[places.get(head) ?? -1] ?? null)
    if (x === null || head.value === null) return []
    const best = head.label === report.best?.label
    const goodness = 1 - (rank - 1) / Math.max(1, ranked.length - 1)
    const label = `${head.label}: ${showMetric(select.metric, head.value)}`
    return [{ x, value: head.value, goodness, best, label: drawnText(label, 60) }]
  })
  const long = axis.kind === 'category' && axis.ticks.some(({ label }) => label.length > 5)
  const labels = new Map(axis.ticks.map(({ at, label }) => [at, drawnText(label, 14)]))
  const what = metricName(select.metric)
  const means = axis.kind === 'category' ? meansOf(points) : []
  return drawFigure(
    {
      title: `${capital(what)} by ${axis.title}`,
      caption: `A dot is a head with its validation ${what}${means.length > 0 ? '; the bars are means' : ''}; the best head is orange.`,
      description: `Validation ${what} of ${points.length} heads against ${axis.title}.`,
    },
    {
      width: FIGURE_WIDTH,
      height: long ? 280 : 230,
      marginLeft: long ? 80 : 56,
      marginRight: 22,
      marginBottom: long ? 84 : 40,
      x: {
        domain: [0, 1],
        inset: 14,
        ticks: [...labels.keys()],
        tickFormat: (at: number) => labels.get(at) ?? '',
        tickRotate: long ? -35 : 0,
        label: axis.kind === 'log' ? `${axis.title} (log scale)` : axis.title,
      },
      y: {
        label: what,
        ticks: 5,
        grid: true,
        nice: true,
        tickFormat: (value: number) => showMetric(select.metric, value),
      },
      color: { type: 'identity' },
      marks: [
        dot(
          points.filter(({ best }) => !best),
          {
            x: 'x',
            y: 'value',
            r: 3.5,
            fill: ({ goodness }: Point) => headColour(goodness),
            fillOpacity: 0.85,
            stroke: 'var(--card)',
            strokeWidth: 0.5,
            title: 'label',
          },
        ),
        ruleY(means, { x1: 'from', x2: 'to', y: 'value', stroke: 'var(--ink)', strokeWidth: 2 }),
        dot(
          points.filter(({ best }) => best),
          {
            x: 'x',
            y: 'value',
            r: 5.5,
            fill: 'var(--warm)',
            stroke: 'var(--card)',
            title: 'label',
          },
        ),
      ],
    },
  )
}

interface Mean {
  readonly from: number
  readonly to: number
  readonly value: number
}

const meansOf = (points: readonly Point[]): Mean[] =>
  [...new Set(points.map(({ x }) => x))].map((x) => {
    const group = points.filter((point) => point.x === x)
    const value = group.reduce((sum, point) => sum + point.value, 0) / group.length
    return { from: x - 0.05, to: x + 0.05, value }
  })

export const renderEffects = (
  report: SweepReport,
  ranked: readonly RankedHead[],
  varying: readonly Varying[],
): Html => {
  const valued = ranked.filter(({ head }) => head.value !== null)
  if (varying.length === 0 || valued.length === 0)
    return card(note('There is no setting to compare heads by.'))
  const shown = varying.slice(0, MAX_CHARTS)
  const hidden = varying.length - shown.length
  return html`${grid(shown.map((setting) => drawEffect(report, valued, setting)))}${
    hidden > 0 ? note(`${hidden} more settings vary.`) : null
  }`
}
