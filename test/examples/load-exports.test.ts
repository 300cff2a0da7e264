import { execFile } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import type { ExportResult } from '../../src/model/export.js'
import { openPlace, type Place } from '../model/runs.js'
import { experimentsIn, exportAll } from '../support/exports.js'
import { findPython } from '../support/python.js'

const EXAMPLE = resolve('examples/load-exports.py')

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const load = async (...folders: string[]): Promise<Ended> => {
  try {
    return { code: 0, ...(await promisify(execFile)(findPython(), [EXAMPLE, ...folders])) }
  } catch (error) {
    return error as Ended
  }
}

let place: Place
let experiments: ReadonlyMap<string, ExperimentInput>
beforeAll(async () => {
  place = await openPlace()
  experiments = await experimentsIn(place.folder)
})
afterAll(() => place.close())

const exported = async (name: string): Promise<ExportResult[]> => {
  const experiment = experiments.get(name)
  if (experiment === undefined) throw new Error(`no experiment ${name}`)
  return exportAll(place, experiment, await mkdtemp(join(place.folder, 'out-')))
}

const WITH_LAYERS = ['head/model.json', 'model/model.json', 'model.onnx']
const WITHOUT = ['head/model.json', 'model.onnx']

describe('the example loads every export in Keras and onnxruntime, with the predictions of the run', () => {
  it.each([
    ['single, LayersModel', WITH_LAYERS],
    ['multi, LayersModel of rows', WITH_LAYERS],
    ['regression, LayersModel of rows', WITH_LAYERS],
    ['single, GraphModel', WITHOUT],
    ['single, ONNX with channels first', WITHOUT],
  ])('%s', { timeout: 300_000 }, async (name, files) => {
    const results = await exported(name)
    expect(results).toHaveLength(3)
    for (const { card } of results) {
      expect(card.exportCheck.files.map(({ path }) => path)).toEqual(files)
      expect(card.files.samples?.count).toBe(8)
    }
    const { code, stdout, stderr } = await load(...results.map(({ folder }) => folder))
    expect(`${stdout}${stderr}`).not.toMatch(/Traceback|TOO LARGE/)
    expect(code).toBe(0)
    expect(stdout.match(/max difference/g)).toHaveLength(3 * files.length)
  })

  it('says so, and fails, when the predictions are others or there is nothing to compare', {
    timeout: 300_000,
  }, async () => {
    const [{ folder } = { folder: '' }] = await exported('multi, LayersModel of rows')
    const expected = join(folder, 'samples/expected.npy')
    const bytes = await readFile(expected)
    bytes.writeFloatLE(bytes.readFloatLE(bytes.length - 4) + 0.001, bytes.length - 4)
    await writeFile(expected, bytes)
    const other = await load(folder)
    expect(other.code).toBe(1)
    expect(other.stdout).toMatch(/TOO LARGE/)
    const card = JSON.parse(await readFile(join(folder, 'card.json'), 'utf8'))
    await writeFile(
      join(folder, 'card.json'),
      JSON.stringify({ ...card, files: { ...card.files, samples: null } }),
    )
    const nothing = await load(folder)
    expect(nothing.code).toBe(2)
    expect(nothing.stderr).toMatch(/no samples/)
  })
})
