// The reports in a real browser: nothing is asked for, nothing complains, everything is legible.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderRunReport } from '../../src/report/run-report.js'
import { renderSweepReport } from '../../src/report/sweep/sweep-report.js'
import { hostileRun, hostileSweep, shadesRun } from '../report/hostile.js'
import { flowers, sizes, tags, trainedReport } from '../report/support.js'
import { sweepOf } from '../report/sweeps.js'
import { until } from '../support/folders.js'
import { startChromium } from './chromium.js'
import { ACTIVE, LOW_CONTRAST, OVERFLOW, SMALLEST_TEXT, UNNAMED_DRAWINGS } from './inspect.js'

const REPORTS = {
  'run with classes': async () =>
    renderRunReport(await trainedReport(flowers(), { kind: 'mlp', width: 16, epochs: 12 })),
  'run with labels': async () =>
    renderRunReport(await trainedReport(tags(), { kind: 'linear', epochs: 8 })),
  'run with values': async () =>
    renderRunReport(await trainedReport(sizes(), { kind: 'linear', epochs: 8 })),
  'run with hostile names': async () => renderRunReport(hostileRun()),
  'run with every shade': async () => renderRunReport(shadesRun()),
  sweep: async () => renderSweepReport(sweepOf(64, {}, { folds: true })),
  'sweep with hostile names': async () => renderSweepReport(hostileSweep()),
} as const
const NAMES = Object.keys(REPORTS) as (keyof typeof REPORTS)[]

const WIDTHS = [360, 1280] as const
const SCHEMES = ['light', 'dark'] as const

let folder: string
let chromium: Awaited<ReturnType<typeof startChromium>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headstart-reports-'))
  chromium = await startChromium()
  for (const name of NAMES) await writeFile(join(folder, `${name}.html`), await REPORTS[name]())
})
afterAll(async () => {
  await chromium?.close()
  await rm(folder, { recursive: true, force: true })
})

interface Opened {
  readonly page: Page
  readonly address: string
  readonly complaints: string[]
  readonly requests: string[]
}

const open = async (name: string, width: number, scheme: string): Promise<Opened> => {
  const page = await chromium.browser.newPage()
  const complaints: string[] = []
  const requests: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) requests.push(request.url())
  })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.setViewport({ width, height: 800, isMobile: width < 600 })
  const address = pathToFileURL(join(folder, `${name}.html`)).href
  await page.goto(address, { waitUntil: 'load' })
  return { page, address, complaints, requests }
}

describe.each(NAMES)('the report of a %s', (name) => {
  test.each(WIDTHS.flatMap((width) => SCHEMES.map((scheme) => ({ width, scheme }))))(
    'is complete and legible at $width px, $scheme',
    async ({ width, scheme }) => {
      const { page, address, complaints, requests } = await open(name, width, scheme)
      expect(await page.evaluate(OVERFLOW)).toBeLessThanOrEqual(0)
      expect(await page.evaluate(LOW_CONTRAST)).toEqual([])
      expect(await page.evaluate(SMALLEST_TEXT)).toBeGreaterThanOrEqual(12)
      expect(await page.evaluate(ACTIVE)).toBe(0)
      expect(await page.evaluate(UNNAMED_DRAWINGS)).toBe(0)
      expect(requests).toEqual([address])
      expect(complaints).toEqual([])
      await page.close()
    },
  )
})

test('thumbnails are shown', async () => {
  const { page } = await open('run with classes', 1280, 'light')
  const sizes = await page.evaluate(`[...document.images].map((image) => image.naturalHeight)`)
  expect(sizes).toHaveLength(12)
  expect(Math.min(...(sizes as number[]))).toBeGreaterThan(20)
  await page.close()
})

test('an image from elsewhere is refused by the policy of the page itself', async () => {
  const { page, complaints } = await open('sweep', 1280, 'light')
  await page.evaluate(`new Promise((done) => {
    const image = new Image()
    image.onerror = done
    image.src = 'http://127.0.0.1:9/never.png'
    document.body.append(image)
  })`)
  await until(async () => complaints.join().includes('Content Security Policy'))
  await page.close()
})

test('on paper the dark scheme is not printed, and long tables are not cut off', async () => {
  const { page } = await open('sweep', 1280, 'dark')
  await page.emulateMediaType('print')
  const background = `getComputedStyle(document.body).backgroundColor`
  expect(await page.evaluate(background)).toBe('rgb(255, 255, 255)')
  const cut = `[...document.querySelectorAll('.tall')].filter((box) =>
    getComputedStyle(box).overflowY !== 'visible').length`
  expect(await page.evaluate(cut)).toBe(0)
  expect(await page.evaluate(`document.querySelectorAll('.tall').length`)).toBe(1)
  await page.close()
})
