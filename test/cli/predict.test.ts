import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { documentOf, runCli, runFailing, runJson, startCli } from '../support/cli.js'
import {
  DENSE_INPUT,
  denseRows,
  npyOf,
  writeDenseBase,
  writeDenseDataset,
} from '../support/dense-base.js'
import { makeFolder, until } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { TINY_CLASSES, tinyPng, writeFiles, writeTinyImages } from '../support/tiny-images.js'

type Predictions = {
  run: string
  predictions: (
    | { name: string; ok: true; labels: { label: string; probability: number }[] }
    | { name: string; ok: false; problem: string }
  )[]
}

let cwd: string

beforeAll(async () => {
  cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 8)
  const head = ['--head', 'linear', '--epochs', '60', '--learning-rate', '0.1', '--name', 'colours']
  await runJson(['train', '--base', 'base', '--cut', 'pool', '--dataset', 'images', ...head], {
    cwd,
  })
  await writeFiles(join(cwd, 'new'), {
    'b.png': tinyPng(2, 900),
    'sub/g.png': tinyPng(1, 901),
    'sub/r.png': tinyPng(0, 902),
    'sub/notes.txt': 'no image',
  })
})

describe('predict', () => {
  it('prints every class with its probability, the most likely first', async () => {
    const { predictions, run } = await runJson<Predictions>(['predict', 'colours', 'new/b.png'], {
      cwd,
    })
    expect(run).toMatch(/^[0-9a-f]{64}$/)
    const [prediction] = predictions
    if (!prediction?.ok) throw new Error('no prediction')
    expect(prediction.labels.map(({ label }) => label).sort()).toEqual([...TINY_CLASSES])
    const values = prediction.labels.map(({ probability }) => probability)
    expect(values).toEqual([...values].sort((a, b) => b - a))
    expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5)
    expect(prediction.labels[0]?.label).toBe('blue')
  })

  it('takes files and folders, in the order of the arguments', async () => {
    const { predictions } = await runJson<Predictions>(
      ['predict', 'colours', 'new/sub', 'new/b.png'],
      { cwd },
    )
    expect(predictions.map(({ name }) => name)).toEqual([
      'new/sub/g.png',
      'new/sub/r.png',
      'new/b.png',
    ])
    const best = predictions.map((prediction) => prediction.ok && prediction.labels[0]?.label)
    expect(best).toEqual(['green', 'red', 'blue'])
  })

  it('takes paths on stdin, one a line, and gives the same bits', async () => {
    const given = await runJson<Predictions>(['predict', 'colours', 'new/b.png', 'new/sub/r.png'], {
      cwd,
    })
    const input = 'new/b.png\n\nnew/sub/r.png\n'
    expect(await runJson(['predict', 'colours', '-'], { cwd, input })).toEqual(given)
  })

  it('with bad files among good ones predicts the others and ends with 1', async () => {
    await writeFiles(cwd, { 'bad/text.png': 'no image', 'bad/empty.png': '' })
    const paths = ['new/b.png', 'bad/text.png', 'none.png', 'bad/empty.png', 'new/sub/r.png']
    const result = await runCli(['predict', 'colours', ...paths, '--json'], { cwd })
    expect(result.code).toBe(1)
    const { predictions } = documentOf<Predictions>(result)
    expect(predictions.map(({ name, ok }) => [name, ok])).toEqual([
      ['new/b.png', true],
      ['bad/text.png', false],
      ['none.png', false],
      ['bad/empty.png', false],
      ['new/sub/r.png', true],
    ])
    const problems = predictions.map((prediction) => (prediction.ok ? '' : prediction.problem))
    expect(problems).toEqual([
      '',
      expect.stringContaining('not a JPEG'),
      expect.stringContaining('no such file'),
      expect.stringContaining('empty'),
      '',
    ])
  })

  it('with a folder that it may not read names it and predicts the others', async () => {
    const open = await makeFolder()
    await cp(join(cwd, 'new'), join(open, 'new'), { recursive: true })
    await mkdir(join(open, 'closed'), { mode: 0o000 })
    const args = ['predict', 'colours', 'closed', 'new/b.png', '--json']
    const store = ['--store', `file://${cwd}/.headstart/store`]
    const result = await runCli([...args, ...store], { cwd: open, permissions: true })
    expect(result.code, result.stderr).toBe(1)
    expect(documentOf<Predictions>(result).predictions).toMatchObject([
      { name: 'closed', ok: false, problem: expect.stringContaining('EACCES') },
      { name: 'new/b.png', ok: true },
    ])
  })

  it('walks folders in the order of names, each with what is below it', async () => {
    const png = tinyPng(2, 900)
    await writeFiles(join(cwd, 'deep'), {
      'b/z.png': png,
      'b/a/1.png': png,
      'a.png': png,
      'c.PNG': png,
    })
    const { predictions } = await runJson<Predictions>(['predict', 'colours', 'deep'], { cwd })
    const names = predictions.map(({ name }) => name)
    expect(names).toEqual(['deep/a.png', 'deep/b/a/1.png', 'deep/b/z.png', 'deep/c.PNG'])
  })

  it('writes a line an input for people, with as many labels as asked for', async () => {
    const { code, stdout } = await runCli(['predict', 'colours', 'new', '--top', '1'], { cwd })
    expect(code).toBe(0)
    const names = ['new/b.png', 'new/sub/g.png', 'new/sub/r.png']
    const lines = names.map((name, i) => `${name}\t${['blue', 'green', 'red'][i]} 0\\.\\d{3}\n`)
    expect(stdout).toMatch(new RegExp(`^${lines.join('')}$`))
  })

  it('writes lines while inputs still come', async () => {
    const cli = startCli(['predict', 'colours', '-'], { cwd, keepInput: true })
    // More than the batches that may be in flight.
    cli.child.stdin?.write('new/b.png\n'.repeat(4000))
    await until(async () => cli.stdout().includes('blue') || cli.child.exitCode !== null)
    expect(cli.child.exitCode).toBeNull()
    cli.child.stdin?.end()
    const { code, stdout } = await cli.finished
    expect(code).toBe(0)
    expect(stdout.match(/^new\/b\.png\tblue/gm)).toHaveLength(4000)
  })

  it('of a folder without images is a wrong request', async () => {
    await mkdir(join(cwd, 'none'), { recursive: true })
    const failure = await runFailing(['predict', 'colours', 'none'], { cwd })
    expect(failure).toMatchObject({ code: 'INPUT_MISSING', exitCode: 2 })
  })

  it('needs neither the dataset nor the features', async () => {
    const lean = await makeFolder()
    await cp(join(cwd, '.headstart'), join(lean, '.headstart'), { recursive: true })
    for (const folder of ['features', 'feature-sets', 'datasets', 'extractors'])
      await rm(join(lean, '.headstart/store', folder), { recursive: true })
    const image = join(cwd, 'new/b.png')
    const [a, b] = [
      await runJson<Predictions>(['predict', 'colours', image], { cwd: lean }),
      await runJson<Predictions>(['predict', 'colours', image], { cwd }),
    ]
    expect(a).toEqual(b)
  })
})

describe('predict with a model of rows', () => {
  let rows: string
  beforeAll(async () => {
    rows = await makeFolder()
    await writeDenseBase(join(rows, 'dense'))
    await writeDenseDataset(rows, 40)
    const from = ['--base', 'dense', '--cut', 'features', '--dataset', 'rows.npy']
    const rest = ['--labels', 'labels.csv', '--name', 'signs', '--epochs', '2']
    await runJson(['train', ...from, ...rest], { cwd: rows })
    await writeFiles(join(rows, 'in'), {
      'b.npy': npyOf([2, DENSE_INPUT], denseRows(2)),
      'sub/a.npy': npyOf([1, DENSE_INPUT], denseRows(1)),
      'notes.txt': 'no rows',
    })
    await mkdir(join(rows, 'none'))
    await writeFile(join(rows, 'wide.npy'), npyOf([1, 3], new Float32Array(3)))
    await writeFile(join(rows, 'text.npy'), 'no rows')
  })

  it('takes the tensor files below a folder', async () => {
    const { predictions } = await runJson<Predictions>(['predict', 'signs', 'in'], { cwd: rows })
    const names = predictions.map(({ name }) => name)
    expect(names).toEqual(['in/b.npy#row-0', 'in/b.npy#row-1', 'in/sub/a.npy#row-0'])
  })

  it('names the files that do not fit, predicts the others and ends with 1', async () => {
    const paths = ['in/b.npy', 'wide.npy', 'text.npy', 'in/notes.txt', 'in/sub/a.npy']
    const result = await runCli(['predict', 'signs', ...paths, '--json'], { cwd: rows })
    expect(result.code, result.stderr).toBe(1)
    const { predictions } = documentOf<Predictions>(result)
    expect(predictions.map(({ name, ok }) => [name, ok])).toEqual([
      ['in/b.npy#row-0', true],
      ['in/b.npy#row-1', true],
      ['wide.npy', false],
      ['text.npy', false],
      ['in/notes.txt', false],
      ['in/sub/a.npy#row-0', true],
    ])
    expect(predictions[2]).toMatchObject({ problem: expect.stringContaining('shape [3]') })
  })

  it('of a folder without tensor files is a wrong request', async () => {
    const failure = await runFailing(['predict', 'signs', 'none'], { cwd: rows })
    expect(failure).toMatchObject({ code: 'INPUT_MISSING', exitCode: 2 })
    expect(failure.message).toContain('no .npy or .arrow file')
  })
})
