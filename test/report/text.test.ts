import { parseHTML } from 'linkedom'
import { describe, expect, test } from 'vitest'
import { html, name } from '../../src/report/html.js'
import { lastPart, showMetric, showNumber, showText } from '../../src/report/text.js'
import { HOSTILE } from './support.js'

describe('text from outside', () => {
  test.each(HOSTILE)('stays text, in elements and in attributes: %j', (text) => {
    const { document } = parseHTML(html`<p title="${text}">${name(text)}</p>`.toString())
    const [paragraph] = document.querySelectorAll('p')
    expect(document.querySelectorAll('*')).toHaveLength(2)
    expect(paragraph?.getAttributeNames()).toEqual(['title'])
    expect(paragraph?.textContent).toBe(text)
  })

  test.each(HOSTILE)('is shown as one short well-formed line without controls: %j', (text) => {
    const shown = showText(text)
    expect(Array.from(shown).length).toBeLessThanOrEqual(64)
    expect(shown.isWellFormed()).toBe(true)
    expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u)
  })

  test('a family of code points that forms one picture is kept', () => {
    expect(showText('👩‍🔬 lab')).toBe('👩‍🔬 lab')
  })

  test('only the last part of a path or an address is shown', () => {
    expect(lastPart('/home/me/secret/flowers/')).toBe('flowers')
    expect(lastPart('C:\\me\\flowers')).toBe('flowers')
    expect(lastPart('https://user:word@host/models/net.onnx?token=1')).toBe('net.onnx')
    expect(lastPart('flowers')).toBe('flowers')
  })

  test('numbers are short and keep their size', () => {
    expect([0.001234567, 12.3456, 100, 1e-5, 0, 1234.5, 1e9].map(showNumber)).toEqual([
      '0.001235',
      '12.35',
      '100',
      '1e-5',
      '0',
      '1235',
      '1e+9',
    ])
    expect(showMetric('accuracy', 0.93456)).toBe('93.5\u202f%')
    expect(showMetric('constructor', 0.5)).toBe('0.5')
    expect(showNumber(Number.NaN)).toBe('n/a')
  })
})
