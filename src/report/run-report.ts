// Owns the report of one run: which sections it has, in which order. Pure: the same data, the same file.
import type { SplitMetrics } from '../head/types.js'
import { renderCalibration } from './calibration-chart.js'
import { renderConfusion } from './confusion.js'
import { renderSplits, renderTiles } from './headline.js'
import { type Html, html, name } from './html.js'
import { renderLearningCurves } from './learning-curves.js'
import { idOf, renderLineage, renderNotes, renderParity } from './lineage.js'
import { renderMistakes } from './mistakes.js'
import { renderPage, type Section } from './page.js'
import { note } from './parts.js'
import { renderClasses } from './per-class.js'
import { measuredSplit } from './predictions.js'
import { renderQuarantine } from './quarantine.js'
import { renderRegression } from './regression.js'
import { lastPart, showText } from './text.js'
import type { MeasuredSplit, Prediction, RunReport } from './types.js'

const KINDS: Readonly<Record<string, string>> = { linear: 'Linear', mlp: 'MLP', custom: 'Custom' }

/** What the head is, in two words; the spec is JSON here and may come from another version. */
const headName = ({ head }: RunReport['run']): string => {
  const kind = head !== null && typeof head === 'object' && 'kind' in head ? head.kind : null
  return typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? `${KINDS[kind]} head` : 'Head'
}

const detailSections = (
  metrics: SplitMetrics,
  predictions: readonly Prediction[],
  split: MeasuredSplit,
): Section[] => {
  switch (metrics.kind) {
    case 'single':
      return [
        { id: 'confusion', title: 'Confusion', body: renderConfusion(metrics, split) },
        { id: 'classes', title: 'Classes', body: renderClasses(metrics, split) },
        { id: 'calibration', title: 'Calibration', body: renderCalibration(predictions, split) },
      ]
    case 'multi':
      return [
        { id: 'classes', title: 'Classes', body: renderClasses(metrics, split) },
        { id: 'calibration', title: 'Calibration', body: renderCalibration(predictions, split) },
      ]
    case 'regression':
      return [
        { id: 'values', title: 'Values', body: renderRegression(metrics, predictions, split) },
      ]
    default:
      return metrics satisfies never
  }
}

const caveat = ({ metrics, history, bestEpoch, stoppedEarly }: RunReport['run']): Html | null => {
  if (metrics.test === undefined)
    return note(
      'There was no test split, or it was not read: no number here comes from samples that nobody looked at.',
    )
  return metrics.validation !== undefined && (stoppedEarly || bestEpoch < history.length)
    ? note(
        'The epoch was chosen on the validation split, so its numbers are optimistic; those of the test split are not.',
      )
    : null
}

/** One self-contained HTML file, UTF-8. */
export const renderRunReport = (data: RunReport): string => {
  const { run, quarantine, notes } = data
  const split = measuredSplit(data)
  const predictions = split === null ? [] : (data.predictions[split] ?? [])
  const metrics = split === null ? undefined : run.metrics[split]
  const [dataset, base] = [lastPart(run.dataset.from), lastPart(run.base.from)]
  return renderPage({
    kind: 'Headstart run',
    title: `${headName(run)} on ${dataset}`,
    lead: html`Features of ${name(base)} at ${name(showText(run.extractor.cut))}, trained ${run.createdAt.slice(0, 10)}, run ${idOf(run.runId)}`,
    tiles: renderTiles(run),
    sections: [
      { id: 'metrics', title: 'Metrics', body: html`${renderSplits(run)}${caveat(run)}` },
      { id: 'learning', title: 'Learning curves', body: renderLearningCurves(run) },
      ...(metrics === undefined || split === null
        ? []
        : detailSections(metrics, predictions, split)),
      ...(split === null
        ? []
        : [
            {
              id: 'mistakes',
              title: 'Most confident mistakes',
              body: renderMistakes(data, predictions, split),
            },
          ]),
      {
        id: 'quarantine',
        title: 'Quarantine',
        body: html`${renderQuarantine(quarantine, run.dataset.quarantined)}${renderNotes(notes)}`,
      },
      { id: 'parity', title: 'Parity', body: renderParity(run.parity) },
      { id: 'lineage', title: 'Lineage', body: renderLineage(run) },
    ],
    footer: 'Written by Headstart. This file is complete: it loads nothing and runs nothing.',
  })
}
