// Owns what a report says about where a run comes from: ids and what each is a hash of, versions, the
// parity gate, the complete specs.
import type { ExtractorSpec } from '../extractor/spec.js'
import type { Parity, RunRecord } from '../model/run-record.js'
import { type Fragment, type Html, html, name, trusted } from './html.js'
import { card, note, type Row, table } from './parts.js'
import { lastPart, shortId, showCount, showNumber, showText } from './text.js'

const MAX_VERSIONS = 40
const MAX_NOTES = 30
const MAX_SPEC_LENGTH = 20_000

export const idOf = (id: string): Html =>
  html`<code title="${showText(id, 200)}">${shortId(id)}</code>`

const viewText = ({ view }: { readonly view: ExtractorSpec['view'] }): string =>
  view.kind === 'plain' ? 'plain' : `augmented ${view.index}`

const row = (what: string, is: Fragment, id: string, hashed: string): Row => ({
  cells: [what, is, idOf(id), hashed],
})

const inputText = ({ input }: ExtractorSpec): string =>
  input.kind === 'image'
    ? `${input.size.join(' x ')} px, ${input.fit}, ${input.kernel}`
    : `tensor ${input.shape.join(' x ')}`

/** Feature sets of many views would fill the page. */
const MAX_VIEWS = 12

const lineageRows = (run: RunRecord): Row[] => {
  const { base, extractor, extractors, dataset } = run
  const pooling = extractor.pooling === 'none' ? '' : `, ${extractor.pooling} pooling`
  const views = extractors.slice(0, MAX_VIEWS)
  return [
    row(
      'Run',
      `seed ${run.seed}`,
      run.runId,
      'feature sets of all views, dataset, complete head spec, seed',
    ),
    row(
      'Base',
      html`${name(lastPart(base.from))} (${extractor.base.format})`,
      base.id,
      'format, topology, weight specs and weight bytes, or the bytes of the file',
    ),
    ...views.map((one, i) =>
      row(
        i === 0 ? 'Extractor' : `Extractor, view ${i}`,
        i === 0
          ? html`cut ${name(showText(extractor.cut))}${pooling}; ${inputText(extractor)}; ${extractor.engine} ${extractor.precision}`
          : viewText(one),
        one.extractorId,
        'the complete extractor spec',
      ),
    ),
    row(
      'Dataset',
      name(lastPart(dataset.from)),
      dataset.datasetId,
      'content, labels, names, splits',
    ),
    row(
      'Content',
      'the samples without labels and names',
      dataset.contentId,
      'the sorted sample keys',
    ),
    ...views.map((one, i) =>
      row(
        i === 0 ? 'Feature set' : `Feature set, view ${i}`,
        viewText(one),
        one.featureSetId,
        'extractor and content',
      ),
    ),
  ]
}

export const renderParity = ({ samples, bitwise, maxAbsDiff, tolerance, engine }: Parity): Html =>
  card(
    html`<p>${showCount(samples)} samples went through the serving path again, on ${name(
      showText(engine.engine),
    )} ${name(showText(engine.version))} (${name(showText(engine.device, 100))}): ${
      bitwise
        ? html`<span class="right">every bit of their features agrees</span> with what the head was trained on.`
        : `the largest difference to what the head was trained on is ${showNumber(maxAbsDiff)}; ${showNumber(tolerance)} relative to max(1, |feature|) was allowed.`
    }</p>`,
  )

export const renderSpec = (title: string, spec: unknown): Html => {
  const text = JSON.stringify(spec, null, 2) ?? 'null'
  const cut =
    text.length > MAX_SPEC_LENGTH ? `\n… ${text.length - MAX_SPEC_LENGTH} more characters` : ''
  return html`<details><summary>${title}</summary><pre>${text.slice(0, MAX_SPEC_LENGTH).toWellFormed()}${cut}</pre></details>`
}

export const renderVersions = (versions: Readonly<Record<string, string>>): Html =>
  html`<p class="note">${Object.entries(versions)
    .slice(0, MAX_VERSIONS)
    .map(
      ([what, version], i) =>
        html`${trusted(i > 0 ? ' · ' : '')}${name(showText(what, 40))} ${name(showText(version, 80))}`,
    )}</p>`

export const renderNotes = (notes: readonly string[]): Html | null =>
  notes.length === 0
    ? null
    : card(
        html`<h3>Noticed while indexing</h3><ul>${notes
          .slice(0, MAX_NOTES)
          .map((text) => html`<li>${name(showText(text, 300))}</li>`)}</ul>${
          notes.length > MAX_NOTES ? note(`and ${showCount(notes.length - MAX_NOTES)} more`) : null
        }`,
      )

export const renderLineage = (run: RunRecord): Html =>
  html`${card(
    table(
      'Lineage',
      [{ title: 'What' }, { title: 'Is' }, { title: 'Id', kind: 'fit' }, { title: 'SHA-256 over' }],
      lineageRows(run),
    ),
  )}${card(html`${renderSpec('Complete head spec', run.head)}${renderSpec('Complete extractor spec', run.extractor)}`)}${renderVersions(run.versions)}`
