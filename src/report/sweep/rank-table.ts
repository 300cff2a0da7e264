// Owns the ranked table of a sweep: every head, with what tells it apart from the others.
import { type Fragment, type Html, html, name } from '../html.js'
import { idOf } from '../lineage.js'
import { type Column, card, note, table } from '../parts.js'
import { metricName, showCount, showMetric, showText } from '../text.js'
import type { SweepHead, SweepReport } from '../types.js'
import { type RankedHead, spreadOf } from './ranking.js'
import { settingName, showSetting, type Varying } from './varying.js'

const MAX_ROWS = 1000
const MAX_COLUMNS = 16
const MAX_HREF_LENGTH = 300

/** A relative path of plain characters: never a scheme, never another host. */
const isRelativePath = (href: string): boolean =>
  href.length <= MAX_HREF_LENGTH && /^[\w.-]+(\/[\w.-]+)*$/u.test(href)

const runOf = ({ runId, reportHref }: SweepHead): Fragment => {
  if (runId === null) return '–'
  return reportHref !== null && isRelativePath(reportHref)
    ? html`<a href="${reportHref}">${idOf(runId)}</a>`
    : idOf(runId)
}

const valueText = ({ value, folds }: SweepHead, metric: string): string => {
  if (value === null) return '–'
  const spread = spreadOf(folds)
  return spread === null
    ? showMetric(metric, value)
    : `${showMetric(metric, value)} ± ${showMetric(metric, spread.deviation)}`
}

export const renderRanking = (
  report: SweepReport,
  ranked: readonly RankedHead[],
  varying: readonly Varying[],
): Html => {
  const { heads, select, best } = report
  const places = new Map(heads.map((head, index) => [head, index]))
  const shown = varying.slice(0, MAX_COLUMNS)
  const isNumeric = ({ values }: Varying) => values.every((value) => typeof value !== 'string')
  const columns: Column[] = [
    { title: 'Rank', kind: 'fit' },
    { title: 'Head' },
    { title: metricName(select.metric), kind: 'number' },
    ...shown.map((one) => ({
      title: settingName(one.name),
      kind: isNumeric(one) ? ('number' as const) : ('fit' as const),
    })),
    { title: 'Epochs', kind: 'number' },
    { title: 'State', kind: 'fit' },
    { title: 'Run', kind: 'fit' },
  ]
  const rows = ranked.slice(0, MAX_ROWS).map(({ rank, head }) => ({
    best: head.label === best?.label,
    cells: [
      String(rank),
      name(showText(head.label)),
      valueText(head, select.metric),
      ...shown.map(({ values }) => {
        const value = values[places.get(head) ?? -1] ?? null
        const text = showSetting(value)
        return typeof value === 'string' ? name(text) : text
      }),
      showCount(head.epochs),
      html`<span class="state ${head.state}">${head.state}</span>`,
      runOf(head),
    ],
  }))
  const hidden = ranked.length - rows.length
  const folds = heads.some((head) => spreadOf(head.folds) !== null)
  return card(
    html`${note(
      `By validation ${metricName(select.metric)}, ${select.higherIsBetter ? 'higher' : 'lower'} is better; only settings that differ have a column.${
        folds ? ' Mean and standard deviation over the folds.' : ''
      }${hidden > 0 ? ` The last ${showCount(hidden)} heads are in the JSON only.` : ''}`,
    )}${table('Ranked heads', columns, rows)}`,
  )
}
