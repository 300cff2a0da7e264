// Writes what is derived from the code: schemas/experiment.schema.json and the table of
// docs/errors.md. Tests keep them equal to the code; run this after changing either source.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { ERROR_CATALOGUE } from '../dist/src/errors.js'
import { experimentJsonSchema } from '../dist/src/experiment/schema.js'

mkdirSync('schemas', { recursive: true })
const schema = `${JSON.stringify(experimentJsonSchema(), null, 2)}\n`
writeFileSync('schemas/experiment.schema.json', schema)

const cell = (text) => text.replaceAll('|', '\\|')
const rows = Object.entries(ERROR_CATALOGUE).map(
  ([code, { cause, remedy, retryable, httpStatus }]) =>
    `| \`${code}\` | ${cell(cause)} | ${cell(remedy)} | ${retryable ? 'yes' : 'no'} | ${httpStatus} |`,
)
const page = readFileSync('docs/errors.md', 'utf8')
const head = page.slice(0, page.indexOf('| code |'))
const table = ['| code | cause | remedy | again | status |', '|---|---|---|---|---|', ...rows]
writeFileSync('docs/errors.md', `${head}${table.join('\n')}\n`)
