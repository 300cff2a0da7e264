// Owns the parallel coordinates of a sweep: one line a head, through what varies, to its metric.
import { line, ruleX, text } from '@observablehq/plot'
import { drawFigure, FIGURE_WIDTH } from '../figure.js'
import type { Html } from '../html.js'
import { card, note } from '../parts.js'
import { drawnText, metricName, showCount, showMetric } from '../text.js'
import type { SweepReport } from '../types.js'
import { type Axis, axisOf, metricAxis } from './axis.js'
import { headColour, rampLegend } from './colour.js'
import { type RankedHead, spreadOverRanks } from './ranking.js'
import type { Setting, Varying } from './varying.js'

const MAX_LINES = 300
/** More axes than this are no longer read, and what varies most often comes first. */
const MAX_AXES = 12
const AXIS_WIDTH = 128

interface Line {
  readonly goodness: number
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

interface Coordinates {
  readonly axes: readonly Axis[]
  /** [head][axis], in the order of the heads of the report. */
  readonly values: readonly (readonly (Setting | null)[])[]
}

const coordinatesOf = (
  { heads, select }: SweepReport,
  varying: readonly Varying[],
): Coordinates => {
  const shown = varying.slice(0, MAX_AXES)
  const values = heads.flatMap(({ value }) => (value === null ? [] : [value]))
  const show = (value: number) => showMetric(select.metric, value)
  const metric = metricAxis(metricName(select.metric), values, select.higherIsBetter, show)
  return {
    axes: [...shown.map(axisOf), metric],
    values: heads.map((head, i) => [...shown.map((one) => one.values[i] ?? null), head.value]),
  }
}

const lineOf = ({ axes, values }: Coordinates, index: number): Line => {
  const points = axes.flatMap((axis, x) => {
    const y = axis.position(values[index]?.[x] ?? null)
    return y === null ? [] : [{ x, y }]
  })
  return { goodness: points.at(-1)?.y ?? 0, points }
}

/** Drawn worst first, so that the good ones lie on top. */
const linesOf = (
  { heads }: SweepReport,
  ranked: readonly RankedHead[],
  coordinates: Coordinates,
): Line[] => {
  const places = new Map(heads.map((head, index) => [head, index]))
  return spreadOverRanks(
    ranked.filter(({ head }) => head.value !== null),
    MAX_LINES,
  )
    .map(({ head }) => lineOf(coordinates, places.get(head) ?? 0))
    .reverse()
}

const tickMarks = (axes: readonly Axis[]) => {
  const ticks = axes.flatMap((axis, x) =>
    axis.ticks.map(({ at, label }) => ({ x, y: at, label: drawnText(label, 14) })),
  )
  return text(ticks, {
    x: 'x',
    y: 'y',
    text: 'label',
    dx: 6,
    textAnchor: 'start',
    fontSize: 12,
    fill: 'var(--ink)',
    stroke: 'var(--card)',
    strokeWidth: 4,
  })
}

export const renderParallel = (
  report: SweepReport,
  ranked: readonly RankedHead[],
  varying: readonly Varying[],
): Html => {
  const valued = ranked.filter(({ head }) => head.value !== null)
  const [best, worst] = [valued[0]?.head.value, valued.at(-1)?.head.value]
  if (best === null || best === undefined || worst === null || worst === undefined)
    return card(note('No head has a value: there is nothing to compare.'))
  if (varying.length === 0) return card(note('The heads do not differ in any setting.'))
  const coordinates = coordinatesOf(report, varying)
  const { axes } = coordinates
  const lines = linesOf(report, ranked, coordinates)
  const { metric } = report.select
  const some =
    lines.length < valued.length
      ? `${lines.length} of ${showCount(valued.length)} heads, evenly over the ranks`
      : 'Every head that has a value'
  return drawFigure(
    {
      title: 'What varies, and what came of it',
      caption: `${some}: a line runs through its settings to its validation ${metricName(metric)} on the right, the best on top.`,
      description: `Parallel coordinates of ${lines.length} heads over ${axes.map(({ title }) => title).join(', ')}.`,
      legend: rampLegend(showMetric(metric, worst), showMetric(metric, best)),
    },
    {
      width: Math.max(FIGURE_WIDTH, AXIS_WIDTH * (axes.length - 1) + 110),
      height: 330,
      marginTop: 54,
      marginBottom: 14,
      marginLeft: 12,
      marginRight: 92,
      x: { axis: null, domain: [0, axes.length - 1] },
      y: { axis: null, domain: [0, 1] },
      color: { type: 'identity' },
      marks: [
        ruleX(axes.keys(), { stroke: 'var(--muted)' }),
        ...lines.map(({ points, goodness }, i) => {
          const isBest = i === lines.length - 1
          return line(points, {
            x: 'x',
            y: 'y',
            stroke: isBest ? 'var(--warm)' : headColour(goodness),
            strokeWidth: isBest ? 3 : 1.4,
            strokeOpacity: isBest ? 1 : 0.75,
          })
        }),
        tickMarks(axes),
        text(
          axes.map(({ title }, x) => ({ x, title: drawnText(title, 16) })),
          {
            x: 'x',
            y: 1,
            text: 'title',
            dy: -32,
            dx: -6,
            textAnchor: 'start',
            fontWeight: 650,
            fill: 'var(--ink)',
          },
        ),
        text(
          [...axes.entries()].filter(([, { kind }]) => kind === 'log'),
          {
            x: ([x]: readonly [number, Axis]) => x,
            y: 1,
            text: () => 'log scale',
            dy: -17,
            dx: -6,
            textAnchor: 'start',
            fontSize: 12,
            fill: 'var(--muted)',
          },
        ),
      ],
    },
  )
}
