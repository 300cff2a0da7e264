// Owns the validation curves of all heads in one drawing, the best one emphasised.
import { dot, lineY } from '@observablehq/plot'
import { drawFigure, legend } from '../figure.js'
import type { Html } from '../html.js'
import { epochTicks, scoreName, thinned } from '../learning-curves.js'
import { card, grid, note } from '../parts.js'
import { capital, showCount } from '../text.js'
import type { SweepHead, SweepReport } from '../types.js'
import { type RankedHead, spreadOverRanks } from './ranking.js'

const MAX_CURVES = 200
const MAX_POINTS = 60

type Measure = 'loss' | 'score'

const pointsOf = ({ history, bestEpoch }: SweepHead, measure: Measure, limit: number) =>
  thinned(history, limit, bestEpoch === null ? [] : [bestEpoch]).flatMap((entry) => {
    const value = entry.validation?.[measure]
    return value !== undefined && Number.isFinite(value) ? [{ epoch: entry.epoch, value }] : []
  })

/** The value below which `part` of the values lie: one head that explodes must not flatten the rest. */
const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(part * (values.length - 1))] ?? 0

const drawCurves = (report: SweepReport, heads: readonly SweepHead[], measure: Measure): Html => {
  const all = heads.map((head) => ({ head, points: pointsOf(head, measure, MAX_POINTS) }))
  const label =
    measure === 'loss' ? 'validation loss' : `validation ${scoreName(report.target.kind)}`
  const values = all.flatMap(({ points }) => points.map(({ value }) => value))
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const top = measure === 'loss' ? Math.max(1.6 * quantile(values, 0.9) - 0.6 * low, low) : high
  const bottom = measure === 'loss' || report.target.kind !== 'regression' ? low : Math.max(low, -1)
  const inside = ({ value }: { readonly value: number }) => value <= top && value >= bottom
  const cut = values.some((value) => !inside({ value }))
  const last = Math.max(...all.flatMap(({ points }) => points.map(({ epoch }) => epoch)))
  const best = all.find(({ head }) => head.label === report.best?.label)
  const kept = (best?.points ?? []).filter(({ epoch }) => epoch === best?.head.bestEpoch)
  const at = { x: 'epoch', y: 'value' }
  return drawFigure(
    {
      title: `${capital(label)} of ${showCount(heads.length)} heads`,
      caption: `Measured after each epoch; the best head is drawn strong, its kept epoch as a dot.${cut ? ' Values far off are cut away.' : ''}`,
      description: `${label} over epochs of ${heads.length} heads, the best head emphasised.`,
      legend: legend([
        { label: 'best head', variable: '--warm' },
        { label: 'trained', variable: '--train' },
        { label: 'pruned or diverged', variable: '--bad' },
      ]),
    },
    {
      height: 260,
      marginLeft: 48,
      marginBottom: 38,
      x: { label: 'epoch', tickFormat: 'd', ...epochTicks(last) },
      y: { label, ticks: 5, grid: true, nice: true, domain: [bottom, top] },
      marks: [
        ...all
          .filter((one) => one !== best)
          .map(({ head, points }) =>
            lineY(points.filter(inside), {
              ...at,
              ...(head.state === 'trained' ? {} : { strokeDasharray: '3 2' }),
              stroke: head.state === 'trained' ? 'var(--train)' : 'var(--bad)',
              strokeOpacity: 0.55,
              strokeWidth: 1,
            }),
          ),
        lineY((best?.points ?? []).filter(inside), {
          ...at,
          stroke: 'var(--warm)',
          strokeWidth: 3,
        }),
        dot(kept.filter(inside), { ...at, fill: 'var(--warm)', stroke: 'var(--card)', r: 5 }),
      ],
    },
  )
}

export const renderCurves = (report: SweepReport, ranked: readonly RankedHead[]): Html => {
  const heads = ranked
    .map(({ head }) => head)
    .filter((head) => pointsOf(head, 'loss', MAX_POINTS).length > 0)
  if (heads.length === 0) return card(note('No head has a curve on validation.'))
  const shown = spreadOverRanks(heads, MAX_CURVES)
  return grid([drawCurves(report, shown, 'score'), drawCurves(report, shown, 'loss')])
}
