// Owns drawing: a Plot becomes an SVG of a few kilobytes inside a figure with title, caption and a text
// for those who do not see it. Colours are variables of the page, so that one drawing fits light and dark.
import { type PlotOptions, plot } from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { type Html, html, trusted } from './html.js'

/** Natural width in px: what a phone of 360 px shows without scrolling. */
export const FIGURE_WIDTH = 320

/** What fits into half of a wide page. */
const HALF_WIDTH = 540

export interface FigureText {
  readonly title: string
  /** One sentence. */
  readonly caption: string
  /** What the drawing says, for those who do not see it. */
  readonly description: string
  readonly legend?: Html
}

interface Drawing {
  readonly outerHTML: string
  setAttribute(name: string, value: string): void
  querySelector(selector: string): { remove(): void } | null
}

/** A drawing stretches with its card up to this factor; it never shrinks, so that text stays legible. */
const MAX_STRETCH = 1.5
const MAX_WIDE_STRETCH = 1.15

export const drawFigure = (text: FigureText, options: PlotOptions): Html => {
  const { width = FIGURE_WIDTH } = options
  const wide = width > FIGURE_WIDTH
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const drawing = plot({ ...options, width, document }) as unknown as Drawing
  // The page has the style that Plot would repeat in every drawing.
  drawing.querySelector('style')?.remove()
  drawing.setAttribute('role', 'img')
  drawing.setAttribute('aria-label', text.description)
  drawing.setAttribute(
    'style',
    `min-width:${width}px;max-width:${Math.round((wide ? MAX_WIDE_STRETCH : MAX_STRETCH) * width)}px`,
  )
  const box = wide
    ? html`<div class="scroll" tabindex="0" role="region" aria-label="${text.title}">${trusted(drawing.outerHTML)}</div>`
    : html`<div class="scroll">${trusted(drawing.outerHTML)}</div>`
  return html`<figure class="card${wide ? ' wide' : ''}${width > HALF_WIDTH ? ' huge' : ''}"><h3>${text.title}</h3>${text.legend ?? null}${box}<figcaption>${text.caption}</figcaption></figure>
`
}

export interface LegendEntry {
  readonly label: string
  /** A colour of the page, e.g. `--accent`. */
  readonly variable: `--${string}`
}

export const legend = (entries: readonly LegendEntry[]): Html =>
  html`<ul class="legend">${entries.map(
    ({ label, variable }) => html`<li><i style="--swatch:var(${variable})"></i>${label}</li>`,
  )}</ul>`
