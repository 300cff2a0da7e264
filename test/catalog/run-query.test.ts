// Filtering and sorting runs, and the table of them.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NamedRun } from '../../src/catalog/run-fields.js'
import { runQuerySchema, selectRuns } from '../../src/catalog/run-query.js'
import { encodeRunsTable } from '../../src/catalog/runs-table.js'
import type { RunRecord } from '../../src/model/run-record.js'
import { recordOf, SINGLE } from '../model/records.js'
import { makeFolder } from '../support/folders.js'
import { runPython } from '../support/python.js'

const named = (record: Partial<RunRecord>, names: readonly string[] = []): NamedRun => ({
  run: recordOf(record),
  names,
  baseNames: ['mobilenet'],
  datasetNames: ['pets'],
})

const accuracy = (value: number) => ({ train: SINGLE, validation: { ...SINGLE, accuracy: value } })
const id = (digit: string) => digit.repeat(64)

const RUNS = [
  named({
    runId: id('a'),
    createdAt: '2026-01-01T00:00:00.000Z',
    head: { kind: 'linear', epochs: 1, momentum: null },
    metrics: accuracy(0.5),
  }),
  named(
    {
      runId: id('b'),
      createdAt: '2026-01-03T00:00:00.000Z',
      head: { kind: 'mlp', width: 8, epochs: 3 },
      metrics: accuracy(0.9),
    },
    ['best'],
  ),
  named({
    runId: id('c'),
    createdAt: '2026-01-02T00:00:00.000Z',
    head: { kind: 'linear', epochs: 2 },
    metrics: { train: { ...SINGLE, accuracy: 0.7 } as typeof SINGLE },
  }),
]

const idsOf = (query: object, sweep: ReadonlySet<string> | null = null): string =>
  selectRuns(RUNS, runQuerySchema.parse(query), sweep)
    .map(({ run }) => run.runId[0])
    .join('')

describe('runs', () => {
  it.each([
    [{}, 'bca'],
    [{ reverse: true }, 'acb'],
    [{ sort: 'accuracy' }, 'bca'],
    [{ sort: 'accuracy', reverse: true }, 'acb'],
    [{ sort: 'score', limit: 1 }, 'b'],
    [{ sort: 'name' }, 'bac'],
    [{ sort: 'width' }, 'bac'],
    [{ sort: 'validation.accuracy' }, 'bac'],
    [{ where: ['kind=linear'] }, 'ca'],
    [{ where: ['kind!=linear'] }, 'b'],
    [{ where: ['accuracy>=0.7'] }, 'bc'],
    [{ where: ['accuracy > 0.7'] }, 'b'],
    [{ where: ['kind=linear', 'accuracy<0.6'] }, 'a'],
    [{ where: ['base=mobilenet'] }, 'bca'],
    [{ where: ['base=resnet'] }, ''],
    [{ where: ['name=best'] }, 'b'],
    [{ where: ['momentum!=0.9'] }, 'bca'],
    [{ where: ['momentum=0.9'] }, ''],
    [{ where: [`id=${id('c').slice(0, 6)}`] }, 'c'],
    [{ where: ['id=c'] }, ''],
    [{ where: ['created<2026-01-02'] }, 'a'],
    [{ dataset: 'pets' }, 'bca'],
    [{ dataset: id('6').slice(0, 8) }, 'bca'],
    [{ dataset: 'cars' }, ''],
  ])('of %j are %s', (query, expected) => {
    expect(idsOf(query)).toBe(expected)
  })

  it('of a sweep are only those', () => {
    expect(idsOf({}, new Set([id('a'), id('b')]))).toBe('ba')
    expect(idsOf({}, new Set())).toBe('')
  })

  it('are sorted both ways, those without a value last either way', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(5)), { maxLength: 8 }), (widths) => {
        const runs = widths.map((width) => named({ head: width === null ? {} : { width } }))
        const widthsOf = (reverse: boolean) =>
          selectRuns(runs, runQuerySchema.parse({ sort: 'width', reverse }), null).map(
            ({ run }) => (run.head as { width?: number }).width ?? null,
          )
        const up = widths.filter((width) => width !== null).sort((a, b) => a - b)
        const none = widths.filter((width) => width === null)
        expect(widthsOf(false)).toEqual([...up, ...none])
        expect(widthsOf(true)).toEqual([...[...up].reverse(), ...none])
      }),
    )
  })

  it.each([
    [{ sort: 'acuracy' }, /no field "acuracy"; there are created, epochs,.*accuracy/],
    [{ sort: 'constructor' }, /no field/],
    [{ sort: 'test.kind' }, /no field/],
    [{ where: ['rate=1'] }, /no field "rate"/],
    [{ where: ['kind'] }, /no condition: write field=value/],
    [{ where: ['accuracy>good'] }, /accuracy is a number; "good" is none/],
    [{ where: ['created>yesterday'] }, /created is a time/],
    [{ where: ['kind>linear'] }, /kind is a text/],
  ])('%j is refused', (query, said) => {
    expect(() => idsOf(query)).toThrow(said)
  })
})

const READ = `
import json, sys
import pyarrow as pa

table = pa.ipc.open_file(sys.argv[1]).read_all()
table.validate(full=True)
print(json.dumps({"types": {f.name: str(f.type) for f in table.schema}, "rows": table.to_pylist()}))
`

describe('the table of runs', () => {
  it('has a row a run and a column for everything that a run has; pyarrow opens it', async () => {
    const file = join(await makeFolder(), 'runs.arrow')
    await writeFile(file, encodeRunsTable(RUNS))
    const { types, rows } = JSON.parse(runPython(READ, [file]))
    expect(types).toMatchObject({
      id: 'string',
      stoppedEarly: 'bool',
      'head.width': 'double',
      'validation.accuracy': 'double',
    })
    expect(rows).toHaveLength(3)
    expect(rows.map((row: Record<string, unknown>) => row['head.width'])).toEqual([null, 8, null])
    expect(rows[2]).toMatchObject({
      id: id('c'),
      'validation.accuracy': null,
      'train.accuracy': 0.7,
    })
  })

  it('may be empty', async () => {
    const file = join(await makeFolder(), 'none.arrow')
    await writeFile(file, encodeRunsTable([]))
    expect(JSON.parse(runPython(READ, [file]))).toEqual({ types: {}, rows: [] })
  })
})
