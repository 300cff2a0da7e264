// Owns the report of a sweep: which sections it has, in which order. Pure: the same data, the same file.
import { renderSplits, showValue } from '../headline.js'
import { type Html, html, name } from '../html.js'
import { idOf, renderNotes, renderSpec, renderVersions } from '../lineage.js'
import { renderPage } from '../page.js'
import { card, note, table, tiles } from '../parts.js'
import { lastPart, metricName, showCount, showMetric, showSeconds, showText } from '../text.js'
import type { HeadState, SweepReport } from '../types.js'
import { renderCurves } from './curves.js'
import { renderEffects } from './effects.js'
import { renderParallel } from './parallel.js'
import { renderRanking } from './rank-table.js'
import { rankHeads } from './ranking.js'
import { varyingOf } from './varying.js'

const MAX_FEATURE_SETS = 24

const countOf = ({ heads }: SweepReport, state: HeadState): number =>
  heads.filter((head) => head.state === state).length

const renderTiles = (report: SweepReport): Html => {
  const { best, select, heads, dataset, seconds } = report
  const metric = metricName(select.metric)
  const chosen = heads.find(({ label }) => label === best?.label)
  const samples = Object.values(dataset.samples).reduce((sum, count) => sum + count, 0)
  return tiles([
    ...(best?.test != null
      ? [
          {
            term: `Test ${metric}, best head`,
            value: showValue(best.test, select.metric),
            detail: 'read once, for this head alone',
            main: true,
          },
        ]
      : []),
    ...(chosen?.value == null
      ? []
      : [
          {
            term: `Best validation ${metric}`,
            value: showMetric(select.metric, chosen.value),
            detail: html`head ${name(showText(chosen.label, 24))}, the best of ${showCount(heads.length)}`,
          },
        ]),
    {
      term: 'Heads',
      value: showCount(heads.length),
      detail: `${showCount(countOf(report, 'trained'))} trained, ${showCount(countOf(report, 'pruned'))} pruned, ${showCount(countOf(report, 'diverged'))} diverged`,
    },
    { term: 'Training', value: showSeconds(seconds.train), detail: 'all heads together' },
    {
      term: 'Samples',
      value: showCount(samples),
      detail: `${showCount(dataset.quarantined)} in quarantine`,
    },
  ])
}

const renderBest = ({ best, heads, target }: SweepReport): Html => {
  const head = heads.find(({ label }) => label === best?.label)
  if (best === null || head === undefined)
    return card(note('No head ended with a value, so none was published.'))
  const metrics = {
    ...(best.validation === null ? {} : { validation: best.validation }),
    ...(best.test === null ? {} : { test: best.test }),
  }
  return html`${card(
    html`<p>Head ${name(showText(head.label))} at ${name(showText(head.cut))}${
      head.pooling === 'none' ? '' : `, ${head.pooling} pooling`
    }, ${showCount(head.epochs)} epochs${head.runId === null ? '' : html`, run ${idOf(head.runId)}`}.</p>${note(
      'It was chosen on validation, so that number is optimistic, the more so the more heads were tried. The test split was read once, for this head.',
    )}`,
  )}${renderSplits({ metrics, target })}${card(renderSpec('Complete head spec', head.spec))}`
}

const renderLineage = ({ sweepId, base, dataset, featureSetIds, versions }: SweepReport): Html =>
  html`${card(
    table(
      'Lineage',
      [{ title: 'What' }, { title: 'Is' }, { title: 'Id', kind: 'fit' }],
      [
        { cells: ['Sweep', 'all its heads', idOf(sweepId)] },
        { cells: ['Base', name(lastPart(base.from)), idOf(base.id)] },
        { cells: ['Dataset', name(lastPart(dataset.from)), idOf(dataset.datasetId)] },
        {
          cells: ['Content', 'the samples without labels and names', idOf(dataset.contentId)],
        },
        ...featureSetIds.slice(0, MAX_FEATURE_SETS).map((id, i) => ({
          cells: [
            `Feature set ${i + 1} of ${featureSetIds.length}`,
            'a cut, pooling and view',
            idOf(id),
          ],
        })),
      ],
    ),
  )}${renderVersions(versions)}`

/** One self-contained HTML file, UTF-8. */
export const renderSweepReport = (report: SweepReport): string => {
  const { heads, dataset, base, sweepId, createdAt, plan, notes } = report
  const ranked = rankHeads(report)
  const varying = varyingOf(heads)
  return renderPage({
    kind: 'Headstart sweep',
    title: `${showCount(heads.length)} ${heads.length === 1 ? 'head' : 'heads'} on ${lastPart(dataset.from)}`,
    lead: html`Features of ${name(lastPart(base.from))}; ${name(showText(plan, 160))}; trained ${createdAt.slice(0, 10)}, sweep ${idOf(sweepId)}`,
    tiles: renderTiles(report),
    sections: [
      {
        id: 'settings',
        title: 'Settings',
        body: html`${renderParallel(report, ranked, varying)}`,
      },
      { id: 'ranking', title: 'Ranking', body: renderRanking(report, ranked, varying) },
      { id: 'best', title: 'Best head', body: renderBest(report) },
      { id: 'curves', title: 'Validation curves', body: renderCurves(report, ranked) },
      { id: 'effects', title: 'Each setting', body: renderEffects(report, ranked, varying) },
      {
        id: 'lineage',
        title: 'Lineage',
        body: html`${renderLineage(report)}${renderNotes(notes)}`,
      },
    ],
    footer: 'Written by Headstart. This file is complete: it loads nothing and runs nothing.',
  })
}
