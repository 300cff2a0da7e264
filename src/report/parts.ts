// Owns the small parts that sections are put together from: tiles, tables, notes.
import { type Fragment, type Html, html } from './html.js'

export interface Tile {
  readonly term: string
  readonly value: Fragment
  readonly detail: Fragment
  /** The number that people came for. */
  readonly main?: boolean
}

export const tiles = (all: readonly Tile[]): Html =>
  html`<dl class="tiles">${all.map(
    ({ term, value, detail, main }) =>
      html`<div class="tile${main === true ? ' main' : ''}"><dt>${term}</dt><dd>${value}<small>${detail}</small></dd></div>`,
  )}</dl>`

export interface Column {
  readonly title: string
  /** `bar`: a fraction 0..1 with a bar behind it. */
  readonly kind?: 'text' | 'fit' | 'number' | 'bar'
}

export interface Row {
  /** One a column; the first names the row. */
  readonly cells: readonly Fragment[]
  /** Part of the bar that is filled, by column; for columns of kind `bar`. */
  readonly parts?: readonly (number | null)[]
  readonly best?: boolean
}

const cellOf = (column: Column, cell: Fragment, part: number | null | undefined): Html => {
  if (column.kind === 'bar' && part !== null && part !== undefined) {
    const filled = `${Math.round(100 * Math.min(1, Math.max(0, part)))}%`
    return html`<td class="bar"><span style="--part:${filled}">${cell}</span></td>`
  }
  return column.kind === undefined || column.kind === 'text'
    ? html`<td>${cell}</td>`
    : html`<td class="${column.kind}">${cell}</td>`
}

/** A table of more rows scrolls below its header, so that the next section stays in reach. */
const TALL_ROWS = 30

/** A table that scrolls inside its own box where it is wider than the screen. */
export const table = (label: string, columns: readonly Column[], rows: readonly Row[]): Html => {
  const head = columns.map(({ title, kind }) =>
    kind === 'number'
      ? html`<th scope="col" class="number">${title}</th>`
      : html`<th scope="col">${title}</th>`,
  )
  const body = rows.map(({ cells, parts, best }) => {
    const rest = columns
      .slice(1)
      .map((column, i) => cellOf(column, cells[i + 1] ?? '', parts?.[i + 1]))
    const opening = best === true ? html`<tr class="best">` : html`<tr>`
    const title =
      columns[0]?.kind === 'fit' ? html`<th scope="row" class="fit">` : html`<th scope="row">`
    return html`${opening}${title}${cells[0] ?? ''}</th>${rest}</tr>
`
  })
  const size = rows.length > TALL_ROWS ? 'scroll tall' : 'scroll'
  return html`<div class="${size}" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}

export const card = (body: Fragment): Html => html`<div class="card">${body}</div>`
export const note = (text: Fragment): Html => html`<p class="note">${text}</p>`
export const grid = (figures: readonly Fragment[]): Html => html`<div class="grid">${figures}</div>`
