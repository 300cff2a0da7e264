import { parseHTML } from 'linkedom'
import { beforeAll, describe, expect, test } from 'vitest'
import { renderRunReport } from '../../src/report/run-report.js'
import { renderSweepReport } from '../../src/report/sweep/sweep-report.js'
import type { RunReport } from '../../src/report/types.js'
import { hostileRun, hostileSweep, runOfClasses } from './hostile.js'
import { flowers, sizes, tags, trainedReport } from './support.js'
import { sweepOf } from './sweeps.js'

const MAX_BYTES = 3e6

const parse = (page: string) => parseHTML(page).document
const sectionsOf = (page: string): string[] =>
  [...parse(page).querySelectorAll('main section')].map(({ id }) => id)
const textOf = (page: string, selector: string): string =>
  parse(page).querySelector(selector)?.textContent ?? ''

/** Everything in the page that would run or load something. */
const activeParts = (page: string): string[] =>
  [...parse(page).querySelectorAll('*')].flatMap((element) => [
    ...(/^(script|iframe|object|embed|form|base)$/iu.test(element.tagName)
      ? [element.tagName]
      : []),
    ...element
      .getAttributeNames()
      .filter((attribute: string) => attribute.startsWith('on'))
      .map(String),
    ...['src', 'href'].flatMap((attribute) => {
      const value = element.getAttribute(attribute)
      return value === null || /^(#|data:image\/jpeg;base64,|data:,$)/u.test(value)
        ? []
        : [String(value)]
    }),
  ])

describe('the report of a run', () => {
  let report: RunReport
  beforeAll(async () => {
    report = await trainedReport(flowers(), { kind: 'mlp', width: 16, epochs: 6 })
  })

  test('is the same file for the same data', () => {
    expect(renderRunReport(report)).toBe(renderRunReport(JSON.parse(JSON.stringify(report))))
  })

  test('has a policy that lets nothing be loaded or run', () => {
    const policy = parse(renderRunReport(report))
      .querySelector('meta[http-equiv="Content-Security-Policy"]')
      ?.getAttribute('content')
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('script-src')
  })

  test('has a section for each result, the test metric on top', () => {
    const page = renderRunReport(report)
    expect(sectionsOf(page)).toEqual([
      'metrics',
      'learning',
      'confusion',
      'classes',
      'calibration',
      'mistakes',
      'quarantine',
      'parity',
      'lineage',
    ])
    const { test: measured } = report.run.metrics
    const accuracy = measured?.kind === 'single' ? measured.accuracy : Number.NaN
    expect(textOf(page, '.tile.main dd')).toContain(`${(100 * accuracy).toFixed(1)}\u202f%`)
  })

  test('shows each wrong sample with its thumbnail, and no path of the machine', () => {
    const page = renderRunReport(report)
    const wrong = report.predictions.test?.filter((one) => one.kind === 'single' && !one.right)
    const shown = parse(page).querySelectorAll('.mistakes li img')
    expect(shown).toHaveLength(Math.min(12, wrong?.length ?? 0))
    expect(page).not.toContain('/home/someone')
  })

  test('counts add up to the samples of the split in the confusion matrix', () => {
    const [figure] = parse(renderRunReport(report)).querySelectorAll('#confusion svg')
    const counts = [...(figure?.querySelectorAll('[aria-label=text] text') ?? [])]
      .map(({ textContent }) => textContent ?? '')
      .filter((text) => /^\d+$/u.test(text))
    const total = counts.reduce((sum, text) => sum + Number(text), 0)
    expect(total).toBe(report.run.metrics.test?.samples)
  })

  test('of labels and of values has the charts of its own kind', async () => {
    const labels = renderRunReport(await trainedReport(tags(), { kind: 'linear', epochs: 3 }))
    expect(sectionsOf(labels)).not.toContain('confusion')
    expect(textOf(labels, '#classes thead')).toContain('Wrong yes')
    const values = renderRunReport(await trainedReport(sizes(), { kind: 'linear', epochs: 3 }))
    expect(sectionsOf(values)).toContain('values')
    expect(parse(values).querySelectorAll('#values svg')).toHaveLength(4)
  })

  test('falls back to validation where there is no test split, and says so', () => {
    const { test: _, ...metrics } = report.run.metrics
    const page = renderRunReport({
      ...report,
      run: { ...report.run, metrics },
      predictions: { ...report.predictions, test: null },
    })
    expect(textOf(page, '#metrics')).toContain('There was no test split')
    expect(textOf(page, '#confusion h3')).toContain('validation')
  })

  test('is complete without any split but train, any prediction, any epoch', () => {
    const page = renderRunReport({
      ...report,
      run: { ...report.run, metrics: {}, history: [], bestEpoch: 0 },
      predictions: { validation: null, test: null },
      thumbnails: {},
      quarantine: [],
    })
    expect(sectionsOf(page)).toEqual(['metrics', 'learning', 'quarantine', 'parity', 'lineage'])
    expect(textOf(page, '#learning')).toContain('without epochs')
  })

  test('lists 100 quarantined samples and counts the rest', () => {
    const page = renderRunReport(hostileRun())
    expect(parse(page).querySelectorAll('#quarantine tbody tr')).toHaveLength(100)
    expect(textOf(page, '#quarantine')).toContain('5,000 samples')
  })
})

describe('the report of a sweep', () => {
  test('ranks every head and marks the best', () => {
    const sweep = sweepOf(40, {}, { folds: true })
    const page = renderSweepReport(sweep)
    const rows = [...parse(page).querySelectorAll('#ranking tbody tr')]
    expect(rows).toHaveLength(40)
    expect(rows[0]?.getAttribute('class')).toBe('best')
    expect(rows[0]?.textContent).toContain(sweep.best?.label)
    expect(rows[0]?.textContent).toContain('±')
    expect(rows.at(-1)?.textContent).toContain('diverged')
  })

  test('is the same file for the same data', () => {
    const sweep = sweepOf(12)
    expect(renderSweepReport(sweep)).toBe(renderSweepReport(JSON.parse(JSON.stringify(sweep))))
  })

  test('in which every head diverged says so', () => {
    const { heads, ...rest } = sweepOf(3)
    const lost = heads.map((head) => ({
      ...head,
      state: 'diverged' as const,
      value: null,
      bestEpoch: null,
      folds: null,
      history: [],
    }))
    const page = renderSweepReport({ ...rest, heads: lost, best: null })
    expect(textOf(page, '#best')).toContain('none was published')
    expect(textOf(page, '#settings')).toContain('nothing to compare')
  })

  test('of one head has nothing that varies', () => {
    expect(textOf(renderSweepReport(sweepOf(1)), '#settings')).toContain('do not differ')
  })
})

describe('hostile names', () => {
  test.each([
    ['run', () => renderRunReport(hostileRun())],
    ['sweep', () => renderSweepReport(hostileSweep())],
  ])('run and load nothing in the report of a %s', (_, render) => {
    expect(activeParts(render())).toEqual([])
  })

  test('a link to a run of the same store is kept', () => {
    const links = activeParts(renderSweepReport(sweepOf(12)))
    expect(links.length).toBeGreaterThan(0)
    expect(
      links.every((href) => /^\.\.\/\.\.\/runs\/[0-9a-f]{64}\/report\.html$/u.test(href)),
    ).toBe(true)
  })
})

describe('size', () => {
  test('a run of 1,000 classes and 10,000 epochs stays below 3 MB', () => {
    const classes = Array.from({ length: 1000 }, (_, i) => `${i} ${'long '.repeat(2000)}`)
    const page = renderRunReport(runOfClasses(classes, 10_000))
    expect(Buffer.byteLength(page)).toBeLessThan(MAX_BYTES)
    expect(textOf(page, '#confusion')).toContain('The 20 classes with the most mistakes of 1,000')
  })

  test('a sweep of 1,000 heads stays below 3 MB', () => {
    const page = renderSweepReport(sweepOf(1000, {}, { folds: true }))
    expect(Buffer.byteLength(page)).toBeLessThan(MAX_BYTES)
    expect(parse(page).querySelectorAll('#ranking tbody tr')).toHaveLength(1000)
  })
})
