// Owns the learning curves: loss and score over epochs, train against validation, the kept epoch marked.
import { dot, lineY, ruleX } from '@observablehq/plot'
import type { EpochMetrics } from '../head/types.js'
import type { RunRecord } from '../model/run-record.js'
import { drawFigure, legend } from './figure.js'
import type { Html } from './html.js'
import { card, grid, note } from './parts.js'
import { capital, showNumber } from './text.js'

/** More points than this no screen shows, and ten thousand epochs would fill the file. */
export const MAX_POINTS = 300

const SCORES = { single: 'accuracy', multi: 'macro F1', regression: 'R²' } as const
const LOSSES = {
  single: 'cross-entropy (nats a sample)',
  multi: 'binary cross-entropy (nats a label)',
  regression: 'squared error (squared target units)',
} as const
export const scoreName = (kind: RunRecord['target']['kind']): string => SCORES[kind]

/** Evenly spread epochs, first and last included, and those in `keep`. */
export const thinned = (
  history: readonly EpochMetrics[],
  limit: number,
  keep: readonly number[] = [],
): EpochMetrics[] => {
  if (history.length <= limit) return [...history]
  const wanted = new Set(
    Array.from({ length: limit }, (_, i) => Math.round((i * (history.length - 1)) / (limit - 1))),
  )
  return history.filter(({ epoch }, index) => wanted.has(index) || keep.includes(epoch))
}

/** Whole epochs only: three of them need no tick at 1.5. */
export const epochTicks = (last: number): { ticks: number[] } | { ticks: number } =>
  last <= 6 ? { ticks: Array.from({ length: last }, (_, i) => i + 1) } : { ticks: 6 }

type Measure = 'loss' | 'score'

const curve = ({ history, bestEpoch, target }: RunRecord, measure: Measure): Html => {
  const shown = thinned(history, MAX_POINTS, [bestEpoch])
  const points = (split: 'train' | 'validation') =>
    shown.flatMap((entry) => {
      const value = entry[split]?.[measure]
      return value !== undefined && Number.isFinite(value) ? [{ epoch: entry.epoch, value }] : []
    })
  const [train, validation] = [points('train'), points('validation')]
  const name = measure === 'loss' ? 'Loss' : scoreName(target.kind)
  const kept = (validation.length > 0 ? validation : train).filter(
    ({ epoch }) => epoch === bestEpoch,
  )
  const at = { x: 'epoch', y: 'value' }
  // A line of one point is invisible.
  const radius = shown.length === 1 ? 4 : 0
  return drawFigure(
    {
      title: `${capital(name)} over epochs`,
      caption: `Measured after each epoch on the plain samples of both splits; the dashed line is epoch ${bestEpoch}, whose weights were kept.`,
      description: `${name} over ${history.length} epochs; ${showNumber(kept[0]?.value ?? Number.NaN)} at the kept epoch ${bestEpoch}.`,
      legend: legend([
        { label: 'train', variable: '--train' },
        ...(validation.length > 0 ? [{ label: 'validation', variable: '--accent' } as const] : []),
        { label: 'kept epoch', variable: '--warm' },
      ]),
    },
    {
      height: 220,
      marginLeft: 48,
      marginBottom: 38,
      x: { label: 'epoch', tickFormat: 'd', ...epochTicks(shown.at(-1)?.epoch ?? 1) },
      y: {
        label: measure === 'loss' ? LOSSES[target.kind] : name,
        ticks: 5,
        grid: true,
        nice: true,
      },
      marks: [
        ruleX([bestEpoch], { stroke: 'var(--warm)', strokeDasharray: '4 3' }),
        lineY(train, { ...at, stroke: 'var(--train)', strokeWidth: 2 }),
        dot(train, { ...at, fill: 'var(--train)', r: radius }),
        lineY(validation, { ...at, stroke: 'var(--accent)', strokeWidth: 2.2 }),
        dot(kept, { ...at, fill: 'var(--warm)', stroke: 'var(--card)', r: 4.5 }),
      ],
    },
  )
}

export const renderLearningCurves = (run: RunRecord): Html =>
  run.history.length === 0
    ? card(note('This head was solved without epochs: there is no curve.'))
    : grid([curve(run, 'loss'), curve(run, 'score')])
