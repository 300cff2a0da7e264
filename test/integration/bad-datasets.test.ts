// Bad datasets through the command line: a clear error that names the file, and nothing lost.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCli, runJson } from '../support/cli.js'
import { denseLabels, denseRows, npyOf, writeDenseBase } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { hugePng } from '../support/images.js'
import { tinyPng, writeFiles } from '../support/tiny-images.js'
import {
  experimentWith,
  failExperiment,
  failWith,
  makeSound,
  writeExperiment,
} from './bad-input.js'
import { keysBelow, samplesKept, storeIn } from './state.js'

interface Result {
  featureSet: { samples: number; computed: number; quarantined: number }
  runs: { trained: boolean }[]
}

describe('a folder', () => {
  it('that is empty', async () => {
    const cwd = await makeSound()
    await mkdir(join(cwd, 'empty'))
    const failure = await failExperiment(cwd, { dataset: { from: 'empty' } })
    expect(failure).toMatchObject({ code: 'DATASET_EMPTY', exitCode: 2 })
    expect(failure.message).toContain(join(cwd, 'empty'))
  })

  it('that does not exist', async () => {
    const failure = await failExperiment(await makeSound(), { dataset: { from: 'nowhere' } })
    expect(failure).toMatchObject({ code: 'INPUT_MISSING', exitCode: 2 })
    expect(failure.message).toContain('nowhere')
  })

  it('with a class of one image', async () => {
    const cwd = await makeSound()
    await writeFiles(cwd, { 'images/lonely/only.png': tinyPng(1, 99) })
    const failure = await failExperiment(cwd)
    expect(failure).toMatchObject({ code: 'DATASET_CLASS_TOO_SMALL', exitCode: 2 })
    expect(failure.all).toContain('lonely: 1')
  })

  it('with one class', async () => {
    const cwd = await makeSound()
    await rm(join(cwd, 'images/red'), { recursive: true })
    await rm(join(cwd, 'images/blue'), { recursive: true })
    const failure = await failExperiment(cwd)
    expect(failure).toMatchObject({ code: 'DATASET_TOO_FEW_CLASSES', exitCode: 2 })
    expect(failure.message).toContain('"green"')
  })
})

const BROKEN = {
  'images/red/empty.png': '',
  'images/red/text.png': 'this is no image',
  'images/green/truncated.png': tinyPng(0, 77).subarray(0, 60),
  'images/blue/huge.png': hugePng(17_000, 17_000),
}
const REASONS = {
  'red/empty.png': /the file is empty/,
  'red/text.png': /not a JPEG, PNG, WebP/,
  'green/truncated.png': /damaged|cannot be decoded/,
  'blue/huge.png': /pixel/,
}

describe('images that cannot be decoded', () => {
  it('stop the run before training above maxQuarantine, each with name and reason', async () => {
    const cwd = await makeSound()
    await writeFiles(cwd, BROKEN)
    const failure = await failExperiment(cwd)
    expect(failure).toMatchObject({ code: 'DATASET_QUARANTINE_EXCEEDED', exitCode: 1 })
    expect(failure.message).toContain('4 of 22')
    for (const [name, reason] of Object.entries(REASONS)) {
      const line = failure.details.find((detail) => detail.startsWith(`${name}: `))
      expect(line).toMatch(reason)
    }
    // The features of the others are kept: with a higher limit nothing is computed again.
    const command = await writeExperiment(cwd, experimentWith({ maxQuarantine: 0.5 }))
    const result = await runCli([...command, '--json'], { cwd })
    const { featureSet } = JSON.parse(result.stdout) as Result
    expect(featureSet).toMatchObject({ samples: 22, computed: 0, quarantined: 4 })
    for (const name of Object.keys(REASONS)) expect(result.stderr).toContain(name)
  })

  it('are left out below maxQuarantine, and listed by extract', async () => {
    const cwd = await makeSound()
    await writeFiles(cwd, BROKEN)
    const result = await runJson<{ featureSets: { quarantined: { name: string }[] }[] }>(
      ['extract', '--base', 'base', '--cut', 'pool', '--dataset', 'images'].concat(
        '--max-quarantine',
        '0.2',
      ),
      { cwd },
    )
    const names = result.featureSets[0]?.quarantined.map(({ name }) => name)
    expect(names?.sort()).toEqual(Object.keys(REASONS).sort())
  })
})

describe('files that change after they were indexed', () => {
  it.each([
    ['vanish', (path: string) => rm(path)],
    ['change', (path: string) => writeFile(path, tinyPng(0, 4321))],
  ])('and %s are named; the others are computed and kept', async (_, spoil) => {
    const cwd = await makeSound()
    await runJson(['dataset', 'add', 'images', '--name', 'colours'], { cwd })
    await spoil(join(cwd, 'images/red/3.png'))
    const failure = await failExperiment(cwd, { dataset: { from: 'colours' } })
    expect(failure).toMatchObject({ code: 'DATASET_CHANGED', exitCode: 1 })
    expect(failure.message).toContain('1 of 18')
    expect(failure.details).toEqual(['red/3.png'])
    expect(await samplesKept(cwd)).toBe(17)
    expect(await keysBelow(storeIn(cwd), 'feature-sets/')).toEqual([])
    await runJson(['dataset', 'add', 'images', '--name', 'colours'], { cwd })
    const command = await writeExperiment(cwd, experimentWith({ dataset: { from: 'colours' } }))
    const { featureSet } = await runJson<Result>(command, { cwd })
    expect(featureSet.computed).toBe(featureSet.samples - 17)
  })
})

describe('a CSV', () => {
  it('with missing paths, empty labels, ragged rows and paths that leave: all faults at once, with their rows', async () => {
    const cwd = await makeSound()
    const rows = ['path,label', 'images/red/0.png,red', 'images/red/none.png,red']
    rows.push('images/red/1.png,', 'images/red/2.png', '../secret.png,red', ',red')
    await writeFile(join(cwd, 'table.csv'), rows.join('\n'))
    const failure = await failExperiment(cwd, { dataset: { from: 'table.csv' } })
    expect(failure).toMatchObject({ code: 'DATASET_INVALID', exitCode: 2 })
    expect(failure.message).toContain('table.csv')
    for (const row of [3, 4, 5, 6, 7]) expect(failure.all).toMatch(new RegExp(`row ${row}: `))
    expect(failure.all).toContain('images/red/none.png')
    expect(failure.all).toContain('the label is empty')
  })

  it('with a BOM, quoted commas, quotes and CRLF is read as it is meant', async () => {
    const cwd = await makeSound()
    await writeFiles(cwd, {
      'images/a, "b"/x.png': tinyPng(0, 50),
      'images/a, "b"/y.png': tinyPng(0, 51),
    })
    const rows = ['path,label', 'images/red/0.png,"red, bright"', 'images/red/1.png,"red, bright"']
    rows.push('"images/a, ""b""/x.png",blue', '"images/a, ""b""/y.png",blue')
    await writeFile(join(cwd, 'table.csv'), `\uFEFF${rows.join('\r\n')}\r\n`)
    const added = await runJson<{ samples: number; target: { classes: string[] } }>(
      ['dataset', 'add', 'table.csv', '--name', 'quoted'],
      { cwd },
    )
    expect(added).toMatchObject({ samples: 4, target: { classes: ['blue', 'red, bright'] } })
  })

  it('without the columns that it needs', async () => {
    const cwd = await makeSound()
    await writeFile(join(cwd, 'table.csv'), 'file,class\na.png,red\n')
    const failure = await failExperiment(cwd, { dataset: { from: 'table.csv' } })
    expect(failure.code).toBe('DATASET_INVALID')
    expect(failure.all).toContain('"path"')
    expect(failure.all).toContain('"label"')
  })
})

describe('a .npy file', () => {
  const makeRows = async (values: Float32Array, width: number): Promise<string> => {
    const cwd = await makeFolder()
    const rows = values.length / width
    await writeDenseBase(join(cwd, 'base'))
    await writeFile(join(cwd, 'rows.npy'), npyOf([rows, width], values))
    await writeFile(join(cwd, 'labels.csv'), denseLabels(rows))
    return cwd
  }
  const change = {
    base: { from: 'base', cut: 'features' },
    dataset: { from: 'rows.npy', labels: 'labels.csv' },
  }

  it('of the wrong width', async () => {
    const failure = await failExperiment(await makeRows(denseRows(20, 5), 5), change)
    expect(failure).toMatchObject({ code: 'EXTRACTOR_INPUT_MISMATCH', exitCode: 2 })
    expect(failure.message).toContain('[5]')
    expect(failure.message).toContain('[6]')
  })

  it('with NaN and infinity: those rows go to quarantine by their number', async () => {
    const values = denseRows(20)
    values[6 * 3 + 2] = Number.NaN
    values[6 * 11] = Number.POSITIVE_INFINITY
    const cwd = await makeRows(values, 6)
    const failure = await failExperiment(cwd, change)
    expect(failure.code).toBe('DATASET_QUARANTINE_EXCEEDED')
    expect(failure.all).toMatch(/row-3: .*not finite/)
    expect(failure.all).toMatch(/row-11: .*not finite/)
    const command = await writeExperiment(cwd, experimentWith({ ...change, maxQuarantine: 0.1 }))
    expect(await runJson<Result>(command, { cwd })).toMatchObject({
      featureSet: { computed: 0, quarantined: 2 },
      runs: [{ trained: true }],
    })
  })

  it('with fewer labels than rows', async () => {
    const cwd = await makeRows(denseRows(20), 6)
    await writeFile(join(cwd, 'labels.csv'), denseLabels(19))
    const failure = await failExperiment(cwd, change)
    expect(failure).toMatchObject({ code: 'DATASET_INVALID', exitCode: 2 })
    expect(failure.all).toContain('19')
    expect(failure.all).toContain('20')
  })

  it('that is cut off', async () => {
    const cwd = await makeRows(denseRows(20), 6)
    await writeFile(join(cwd, 'rows.npy'), npyOf([20, 6], denseRows(20)).subarray(0, 400))
    const failure = await failWith(cwd, await writeExperiment(cwd, experimentWith(change)))
    expect(failure.code).toBe('DATASET_INVALID')
    expect(failure.message).toContain('rows.npy')
  })
})
