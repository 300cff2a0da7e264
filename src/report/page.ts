// Owns the page around a report: one file that asks for nothing, runs nothing and says so to the browser.
import { type Fragment, type Html, html, trusted } from './html.js'
import { STYLE } from './style.js'

/** Nothing may be loaded or run; styles are the page's own, images are inside it. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

export interface Section {
  /** Its address within the page. */
  readonly id: string
  readonly title: string
  readonly body: Html
}

export interface Page {
  readonly kind: string
  readonly title: string
  readonly lead: Fragment
  readonly tiles: Html
  readonly sections: readonly Section[]
  readonly footer: Fragment
}

export const renderPage = ({ kind, title, lead, tiles, sections, footer }: Page): string =>
  html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<header>
<p class="kind">${kind}</p>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${tiles}
<nav aria-label="Sections">${sections.map((section) => html`<a href="#${section.id}">${section.title}</a>`)}</nav>
</header>
<main>
${sections.map(
  (section) => html`<section id="${section.id}"><h2>${section.title}</h2>${section.body}</section>
`,
)}</main>
<footer>${footer}</footer>
</body>
</html>
`.toString()
