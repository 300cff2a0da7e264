// The catalogue, its page and the code agree.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERROR_CATALOGUE, type ErrorCode, HeadstartError } from '../src/errors.js'
import { PROJECT } from './support/cli.js'

const CODES = Object.keys(ERROR_CATALOGUE) as ErrorCode[]

/** Cells of a Markdown table's row; `\|` is a bar within a cell. */
const cellsOf = (line: string): string[] =>
  line
    .replaceAll('\\|', '\0')
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.replaceAll('\0', '|').trim())

const documentedRows = async (): Promise<string[][]> => {
  const page = await readFile(join(PROJECT, 'docs/errors.md'), 'utf8')
  return page
    .split('\n')
    .filter((line) => /^\| *`/.test(line))
    .map(cellsOf)
}

const sources = async (): Promise<string> => {
  const names = await readdir(join(PROJECT, 'src'), { recursive: true })
  const files = names.filter((name) => name.endsWith('.ts') && name !== 'errors.ts')
  const texts = await Promise.all(files.map((name) => readFile(join(PROJECT, 'src', name), 'utf8')))
  // Doc comments name codes that others throw.
  return texts.join('\n').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
}

describe('the catalogue', () => {
  it('gives every code a cause, a remedy and a status', () => {
    for (const code of CODES) {
      const { cause, remedy, httpStatus } = ERROR_CATALOGUE[code]
      expect(cause, code).toMatch(/^[A-Z].+\.$/)
      expect(remedy, code).toMatch(/^[A-Z].+\.$/)
      expect(Number.isInteger(httpStatus) && httpStatus >= 400 && httpStatus < 600, code).toBe(true)
    }
  })

  it('has a row of its page for every code, with the same cause, remedy and status', async () => {
    const rows = await documentedRows()
    expect(rows.map(([code]) => code)).toEqual(CODES.map((code) => `\`${code}\``))
    for (const [index, code] of CODES.entries()) {
      const { cause, remedy, retryable, httpStatus } = ERROR_CATALOGUE[code]
      const again = retryable ? 'yes' : 'no'
      expect(rows[index]?.slice(1)).toEqual([cause, remedy, again, String(httpStatus)])
    }
  })

  it('has no code that nothing throws', async () => {
    const text = await sources()
    const unused = CODES.filter((code) => !text.includes(`'${code}'`))
    expect(unused).toEqual([])
  })
})

describe('an error', () => {
  it('carries what the catalogue says of its code, its details and its cause', () => {
    const cause = new Error('ENOSPC')
    const error = new HeadstartError('STORE_FULL', 'the disk is full', { cause, details: ['a'] })
    const { remedy, retryable, httpStatus } = ERROR_CATALOGUE.STORE_FULL
    expect(error).toMatchObject({ code: 'STORE_FULL', details: ['a'], cause })
    expect(error).toMatchObject({ remedy, retryable, httpStatus, name: 'HeadstartError' })
  })
})
