// Predictions as Arrow: the same rows back, pyarrow opens them, damaged files are refused.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodePredictions, encodePredictions } from '../../src/features/arrow-predictions.js'
import type { PredictionTable } from '../../src/features/prediction-rows.js'
import { sha256 } from '../../src/identity/hash.js'
import { makeFolder } from '../support/folders.js'
import { runPython } from '../support/python.js'

const key = (row: number): string => sha256(`row ${row}`)
const runId = sha256('run')

const SINGLE: PredictionTable = {
  metadata: { version: 1, runId, split: 'test', kind: 'single', names: ['cat', 'dog'] },
  predictions: {
    kind: 'single',
    rows: Array.from({ length: 11 }, (_, row) => ({
      key: key(row),
      actual: row % 2,
      predicted: row % 3 === 0 ? 1 : 0,
      confidence: 0.75,
      right: row % 2 === (row % 3 === 0 ? 1 : 0),
      trueProbability: 0.25,
    })),
  },
}
const MULTI: PredictionTable = {
  metadata: { version: 1, runId, split: 'validation', kind: 'multi', names: ['a', 'b', 'c'] },
  predictions: {
    kind: 'multi',
    rows: [
      { key: key(0), actual: [0, 2], predicted: [0], right: false, probabilities: [0.75, 0, 0.25] },
      { key: key(1), actual: [], predicted: [], right: true, probabilities: [0, 0, 0] },
    ],
  },
}
const VALUES: PredictionTable = {
  metadata: { version: 1, runId, split: 'test', kind: 'regression', names: ['x', 'y'] },
  predictions: {
    kind: 'regression',
    rows: [{ key: key(0), actual: [0.1, -1e9], predicted: [0.5, 2] }],
  },
}
const EMPTY: PredictionTable = {
  metadata: SINGLE.metadata,
  predictions: { kind: 'single', rows: [] },
}

const READ = `
import json, sys
import pyarrow as pa

with pa.memory_map(sys.argv[1]) as source:
    table = pa.ipc.open_file(source).read_all()
table.validate(full=True)
rows = table.to_pylist()
for row in rows:
    row["key"] = row["key"].hex()
print(json.dumps({
    "schema": [[f.name, str(f.type)] for f in table.schema],
    "metadata": json.loads(table.schema.metadata[b"headstart"]),
    "rows": rows,
}))
`

describe('predictions', () => {
  it.each([SINGLE, MULTI, VALUES, EMPTY])('come back as they were written', (table) => {
    const bytes = encodePredictions(table)
    expect(decodePredictions(bytes)).toEqual(table)
    expect(Buffer.compare(bytes, encodePredictions(table))).toBe(0)
  })

  it.each([SINGLE, MULTI, VALUES, EMPTY])('are opened by pyarrow', async (table) => {
    const file = join(await makeFolder(), 'predictions.arrow')
    await writeFile(file, encodePredictions(table))
    const seen = JSON.parse(runPython(READ, [file]))
    expect(seen.rows).toEqual(table.predictions.rows)
    expect(seen.metadata).toEqual(table.metadata)
    expect(seen.schema[0]).toEqual(['key', 'fixed_size_binary[32]'])
  })

  it('are refused when they name a class that there is not', () => {
    const metadata = { ...SINGLE.metadata, names: ['cat'] }
    expect(() => decodePredictions(encodePredictions({ ...SINGLE, metadata }))).toThrow(
      'class 1 of 1',
    )
  })

  it('are refused when they are of another task than they say', () => {
    const metadata = { ...SINGLE.metadata, kind: 'multi' as const }
    expect(() => decodePredictions(encodePredictions({ ...SINGLE, metadata }))).toThrow()
    const values = { ...VALUES.metadata, names: ['x'] }
    expect(() => decodePredictions(encodePredictions({ ...VALUES, metadata: values }))).toThrow(
      'a value is missing',
    )
  })

  it('are refused wherever the file is cut', () => {
    const bytes = encodePredictions(SINGLE)
    for (let length = 0; length < bytes.length - 8; length += 97)
      expect(() => decodePredictions(bytes.subarray(0, length)), String(length)).toThrow()
  })
})
