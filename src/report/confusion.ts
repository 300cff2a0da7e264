// Owns the confusion matrix of single labels: which classes are taken for which. Many classes are cut
// down to those that are confused most.
import { cell, text } from '@observablehq/plot'
import type { SplitMetrics } from '../head/types.js'
import { drawFigure, FIGURE_WIDTH } from './figure.js'
import { type Html, html, name } from './html.js'
import { card, note, table } from './parts.js'
import { drawnText, showCount, showPercent, showText } from './text.js'

type SingleMetrics = Extract<SplitMetrics, { kind: 'single' }>

export const MAX_CLASSES_DRAWN = 20
const MAX_PAIRS = 10
const LABEL_LENGTH = 14

export interface Cell {
  readonly actual: number
  readonly predicted: number
  readonly count: number
  /** Of the actual class, 0..1. */
  readonly fraction: number
}

/** All cells that are not empty. */
export const cellsOf = (confusion: readonly (readonly number[])[]): Cell[] =>
  confusion.flatMap((row, actual) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.flatMap((count, predicted) =>
      count > 0 ? [{ actual, predicted, count, fraction: count / total }] : [],
    )
  })

/** The classes with the most mistakes, as actual or as predicted class; in the order of the classes. */
export const mostConfused = (cells: readonly Cell[], classes: number, limit: number): number[] => {
  const mistakes = new Array<number>(classes).fill(0)
  for (const { actual, predicted, count } of cells) {
    if (actual === predicted) continue
    for (const index of [actual, predicted]) mistakes[index] = (mistakes[index] ?? 0) + count
  }
  return [...mistakes.keys()]
    .sort((a, b) => (mistakes[b] ?? 0) - (mistakes[a] ?? 0) || a - b)
    .slice(0, limit)
    .sort((a, b) => a - b)
}

const shade = (fraction: number): string =>
  `color-mix(in oklab, var(--accent) ${Math.round(4 + 96 * fraction)}%, var(--card))`
/**
 * The ink that reads best on a shade. In the light scheme black gives way to white at 0.89, in the dark
 * one white to black at 0.615: in between both are black. Contrast is never below 4.5 (WCAG 2).
 */
const ink = ({ fraction }: Cell): string =>
  fraction > 0.89 ? 'var(--on-full)' : fraction > 0.615 ? 'var(--on-most)' : 'var(--on-some)'

const matrix = (metrics: SingleMetrics, split: string, cells: readonly Cell[]): Html => {
  const names = metrics.perClass.map((entry) => entry.name)
  const shown = mostConfused(cells, names.length, MAX_CLASSES_DRAWN)
  const visible = new Set(shown)
  const drawn = cells.filter(
    ({ actual, predicted }) => visible.has(actual) && visible.has(predicted),
  )
  const labelOf = (index: number) => drawnText(names[index] ?? '', LABEL_LENGTH)
  const roomy = shown.length <= 12
  const size = roomy ? 48 : 34
  const labels = Math.max(
    40,
    ...shown.map((index) => 12 + 7.4 * showText(names[index] ?? '', LABEL_LENGTH).length),
  )
  const at = { x: 'predicted', y: 'actual' }
  const cut = shown.length < names.length
  return drawFigure(
    {
      title: `Confusion matrix, ${split}`,
      caption: `Counts${roomy ? ' and fraction of the row' : ''}: a row holds the samples of one actual class, the shade is the fraction of them.${cut ? ` The ${shown.length} classes with the most mistakes of ${showCount(names.length)}.` : ''}`,
      description: `Confusion matrix of ${shown.length} classes on the ${split} split: ${showPercent(metrics.accuracy)} of ${metrics.samples} samples lie on the diagonal.`,
    },
    {
      width: Math.max(FIGURE_WIDTH, Math.round(labels + 20 + size * shown.length)),
      height: Math.round(0.75 * labels + 44 + (roomy ? 0.85 : 0.8) * size * shown.length),
      marginLeft: labels + 16,
      marginRight: 4,
      marginTop: 26,
      marginBottom: 0.75 * labels + 18,
      x: {
        domain: shown,
        label: 'predicted class',
        labelAnchor: 'right',
        tickFormat: labelOf,
        tickRotate: -45,
        tickSize: 0,
      },
      y: {
        domain: shown,
        label: 'actual class',
        labelAnchor: 'top',
        tickFormat: labelOf,
        tickSize: 0,
      },
      color: { type: 'identity' },
      marks: [
        cell(
          shown.flatMap((actual) => shown.map((predicted) => ({ actual, predicted }))),
          { ...at, fill: 'var(--paper)', inset: 0.75, rx: 3 },
        ),
        cell(drawn, {
          ...at,
          fill: ({ fraction }: Cell) => shade(fraction),
          inset: 0.75,
          rx: 3,
          title: (d: Cell) =>
            `${showText(names[d.actual] ?? '')} taken for ${showText(names[d.predicted] ?? '')}: ${d.count} (${showPercent(d.fraction)})`,
        }),
        text(drawn, {
          ...at,
          text: ({ count }: Cell) => showCount(count),
          fill: ink,
          dy: roomy ? -7 : 0,
        }),
        ...(roomy
          ? [
              text(drawn, {
                ...at,
                text: ({ fraction }: Cell) => `${Math.round(100 * fraction)}%`,
                fill: ink,
                fontSize: 12,
                dy: 8,
              }),
            ]
          : []),
      ],
    },
  )
}

const pairs = (metrics: SingleMetrics, cells: readonly Cell[]): Html => {
  const wrong = cells
    .filter(({ actual, predicted }) => actual !== predicted)
    .sort((a, b) => b.count - a.count || b.fraction - a.fraction)
  if (wrong.length === 0) return card(note('No sample was given a wrong class.'))
  const nameOf = (index: number) => name(showText(metrics.perClass[index]?.name ?? ''))
  return card(
    html`<h3>Most frequent confusions</h3>${table(
      'Most frequent confusions',
      [
        { title: 'Actual class' },
        { title: 'Taken for' },
        { title: 'Samples', kind: 'number' },
        { title: 'Of the class', kind: 'bar' },
      ],
      wrong.slice(0, MAX_PAIRS).map(({ actual, predicted, count, fraction }) => ({
        cells: [nameOf(actual), nameOf(predicted), showCount(count), showPercent(fraction)],
        parts: [null, null, null, fraction],
      })),
    )}`,
  )
}

/** The matrix of single labels; multi labels have their counts in the table of the classes. */
export const renderConfusion = (metrics: SingleMetrics, split: string): Html => {
  const cells = cellsOf(metrics.confusion)
  return html`<div class="pair">${matrix(metrics, split, cells)}${pairs(metrics, cells)}</div>`
}
