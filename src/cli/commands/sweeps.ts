// Owns `headstart sweeps`: what was tried together, ranked by what the best was chosen by.
import type { Command } from 'commander'
import { removeSweep } from '../../catalog/remove.js'
import { listSweeps, type ShownSweep, type SweepSummary, showSweep } from '../../catalog/sweeps.js'
import { shortId } from '../../identity/hash.js'
import type { SweepHead, SweepRecord } from '../../model/sweep-record.js'
import { addCatalogCommand } from '../catalog-command.js'
import { describeHead } from '../metrics-text.js'
import { bytes, fraction, table } from '../tables.js'

const minuteOf = (createdAt: string): string => createdAt.slice(0, 16).replace('T', ' ')

const headCounts = ({ trained, pruned, diverged }: SweepSummary['heads']): string =>
  [
    `${trained} trained`,
    ...(pruned > 0 ? [`${pruned} pruned`] : []),
    ...(diverged > 0 ? [`${diverged} diverged`] : []),
  ].join(', ')

const drawSweeps = (items: readonly SweepSummary[]): string =>
  table(
    items.map(({ id, name, createdAt, base, heads, select, best }) => [
      shortId(id),
      name ?? '-',
      minuteOf(createdAt),
      base.from,
      headCounts(heads),
      shortId(best.runId),
      `${select.metric} ${fraction(best.value ?? undefined)}`,
    ]),
    ['sweep', 'name', 'created (UTC)', 'base', 'heads', 'best run', 'validation'],
  )

/** Best first; heads without a value last, in their own order. */
const ranked = ({ heads, select }: SweepRecord): readonly SweepHead[] => {
  const sign = select.higherIsBetter ? -1 : 1
  return [...heads].sort((a, b) => {
    if (a.value === null || b.value === null)
      return Number(a.value === null) - Number(b.value === null)
    return sign * (a.value - b.value)
  })
}

/** Mean and standard deviation over the folds. */
const foldsText = (folds: readonly number[] | null): string => {
  if (folds === null || folds.length === 0) return '-'
  const mean = folds.reduce((sum, value) => sum + value, 0) / folds.length
  const variance = folds.reduce((sum, value) => sum + (value - mean) ** 2, 0) / folds.length
  return `${fraction(mean)} +- ${fraction(Math.sqrt(variance))}`
}

const drawSweep = ({ sweep, bytes: size }: ShownSweep): string => {
  const { select, best, halving, folds } = sweep
  const facts = table([
    ['sweep', sweep.sweepId],
    ['name', sweep.name ?? '-'],
    ['created', sweep.createdAt],
    ['base', `${shortId(sweep.base.id)} (${sweep.base.from})`],
    ['dataset', shortId(sweep.dataset.datasetId)],
    [
      'chosen by',
      `validation ${select.metric}, the ${select.higherIsBetter ? 'higher' : 'lower'} the better`,
    ],
    ['folds', folds === null ? '-' : String(folds)],
    [
      'halving',
      halving === null ? '-' : `after ${halving.epochs} epochs, the best 1/${halving.factor} go on`,
    ],
    ['best', shortId(best.runId)],
    ['test', best.test === null ? '-' : `loss ${fraction(best.test.loss)}, read once`],
    ['size', bytes(size)],
  ])
  const rows = ranked(sweep).map((head, index) => [
    String(index + 1),
    head.runId === null ? '-' : shortId(head.runId),
    describeHead(head.head),
    head.cut,
    String(head.views),
    head.state,
    String(head.epochs),
    fraction(head.value ?? undefined),
    foldsText(head.folds),
  ])
  const titles = ['', 'run', 'head', 'cut', 'views', 'state', 'epochs', select.metric, 'folds']
  return `${facts}\n\n${table(rows, titles)}`
}

export const addSweepsCommand = (program: Command): void => {
  addCatalogCommand(program, {
    command: 'sweeps',
    noun: 'sweep',
    description: 'list, show and remove sweeps; their runs stay',
    reference: 'id, or the first 6 or more characters of it',
    example: '3f2a9c',
    list: listSweeps,
    drawList: drawSweeps,
    show: showSweep,
    drawShown: drawSweep,
    rm: { canForce: false, remove: removeSweep },
  })
}
