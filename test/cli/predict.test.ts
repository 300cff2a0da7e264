import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { documentOf, runCli, runFailing, runJson } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { TINY_CLASSES, tinyPng, writeFiles, writeTinyImages } from '../support/tiny-images.js'

type Predictions = {
  run: string
  predictions: (
    | { name: string; ok: true; labels: { label: string; value: number }[] }
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
    const values = prediction.labels.map(({ value }) => value)
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

  it('writes a table for people, with as many labels as asked for', async () => {
    const { code, stdout } = await runCli(['predict', 'colours', 'new/b.png', '--top', '1'], {
      cwd,
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/new\/b\.png\s+.*blue 0\.\d{3}/)
    expect(stdout).not.toContain('red')
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
