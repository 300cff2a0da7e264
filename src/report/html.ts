// Owns the only way in which text becomes HTML: a template that escapes everything put into it, but
// for what it made itself.

/** Markup that was made by `html` or `trusted`. */
export class Html {
  readonly #markup: string

  constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

export type Fragment = Html | string | number | null | readonly Fragment[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Safe as text and within quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/gu, (character) => ESCAPES[character] ?? '')

const markupOf = (fragment: Fragment): string => {
  if (fragment === null) return ''
  if (fragment instanceof Html) return fragment.toString()
  if (typeof fragment === 'string' || typeof fragment === 'number')
    return escapeHtml(String(fragment))
  return fragment.map(markupOf).join('')
}

/** Escapes every value but Html; null is nothing, arrays are joined. Attributes have to be quoted. */
export const html = (parts: TemplateStringsArray, ...values: readonly Fragment[]): Html =>
  new Html(
    parts.reduce((markup, part, index) => markup + markupOf(values[index - 1] ?? null) + part),
  )

/** Markup of this project's own making: styles, drawings that were serialised by a DOM. */
export const trusted = (markup: string): Html => new Html(markup)

/** A name from outside: its own direction cannot disturb the text around it. */
export const name = (text: string): Html => html`<bdi>${text}</bdi>`
