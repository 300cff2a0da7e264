// Owns the table of the classes: precision, recall, F1 and support, the largest class first; for multi
// labels also the four counts of each.
import type { ClassMetrics, SplitMetrics } from '../head/types.js'
import { type Html, html, name } from './html.js'
import { type Column, card, note, type Row, table } from './parts.js'
import { showCount, showPercent, showText } from './text.js'

type ClassedMetrics = Extract<SplitMetrics, { kind: 'single' | 'multi' }>

const MAX_ROWS = 1000

const COLUMNS: readonly Column[] = [
  { title: 'Class' },
  { title: 'Support', kind: 'number' },
  { title: 'Precision', kind: 'bar' },
  { title: 'Recall', kind: 'bar' },
  { title: 'F1', kind: 'bar' },
]

const COUNTS: readonly Column[] = [
  { title: 'Right yes', kind: 'number' },
  { title: 'Wrong yes', kind: 'number' },
  { title: 'Wrong no', kind: 'number' },
  { title: 'Right no', kind: 'number' },
]

const rowOf = ({ name: title, precision, recall, f1, support }: ClassMetrics): Row => ({
  cells: [name(showText(title)), showCount(support), ...[precision, recall, f1].map(showPercent)],
  parts: [null, null, precision, recall, f1],
})

/** [[trueNegative, falsePositive], [falseNegative, truePositive]] in the order of COUNTS. */
const countsOf = (confusion: readonly (readonly number[])[] | undefined): string[] => {
  const [[rightNo = 0, wrongYes = 0] = [], [wrongNo = 0, rightYes = 0] = []] = confusion ?? []
  return [rightYes, wrongYes, wrongNo, rightNo].map(showCount)
}

export const renderClasses = (metrics: ClassedMetrics, split: string): Html => {
  const order = [...metrics.perClass.entries()].sort(
    ([i, a], [j, b]) => b.support - a.support || i - j,
  )
  const rows = order.slice(0, MAX_ROWS).map(([index, entry]) => {
    const row = rowOf(entry)
    return metrics.kind === 'multi'
      ? { ...row, cells: [...row.cells, ...countsOf(metrics.confusion[index])] }
      : row
  })
  const columns = metrics.kind === 'multi' ? [...COLUMNS, ...COUNTS] : COLUMNS
  const hidden = order.length - rows.length
  const absent = metrics.perClass.filter(({ support }) => support === 0).length
  return card(
    html`${note(
      `On the ${split} split; support is the number of its samples that have the class.${
        absent > 0
          ? ` ${absent === 1 ? 'One class has' : `${showCount(absent)} classes have`} none, so nothing is known of ${absent === 1 ? 'it' : 'them'}.`
          : ''
      }${hidden > 0 ? ` The ${showCount(hidden)} smallest classes are not listed.` : ''}`,
    )}${table('Metrics of each class', columns, rows)}`,
  )
}
