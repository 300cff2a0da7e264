// What is refused before hours of work, or said before it surprises somebody.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { addDataset } from '../../src/experiment/add-named.js'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import { failureOf } from '../dataset/support.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeFiles, writeTinyImages } from '../support/tiny-images.js'
import { openIn, runIn } from './experiments.js'

const EXPERIMENT: ExperimentInput = {
  base: { from: './base', cut: 'pool' },
  dataset: { from: './images' },
  heads: [{ kind: 'linear', epochs: 2 }],
}

let cwd: string
beforeEach(async () => {
  cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 8)
})

const nameImages = async (): Promise<void> => {
  const workspace = await openIn(cwd)
  const opened = await addDataset(workspace.store, {
    spec: { from: './images' },
    split: undefined,
    folder: cwd,
    hashCacheDir: workspace.hashCacheDir,
    objects: workspace.objects,
    name: 'colours',
    replace: false,
  })
  await opened.reader.close()
  await workspace.close()
}

describe('heads are checked before anything is extracted', () => {
  it('and all their faults are reported at once', async () => {
    const failure = await failureOf(
      runIn(cwd, {
        ...EXPERIMENT,
        split: { train: 1, validation: 0, test: 0 },
        heads: [
          { kind: 'linear', epochs: 2 },
          { kind: 'linear', epochs: 2, earlyStopping: { patience: 2 } },
          { kind: 'linear', epochs: 2, classWeights: { violet: 2 } },
        ],
      }),
    )
    expect(failure.code).toBe('HEAD_INVALID')
    expect(failure.details.join('\n')).toMatch(/heads\.1: .*validation/)
    expect(failure.details.join('\n')).toMatch(/heads\.2: .*violet/)
    expect(existsSync(join(cwd, '.headstart/store/features'))).toBe(false)
    expect(existsSync(join(cwd, '.headstart/store/runs'))).toBe(false)
  })

  it('as is a wrong cut, before the dataset is looked at', async () => {
    const failure = await failureOf(
      runIn(cwd, {
        ...EXPERIMENT,
        base: { from: './base', cut: 'pol' },
        dataset: { from: 'none' },
      }),
    )
    expect(failure.code).toBe('CUT_NOT_FOUND')
  })
})

it('a class whose training samples are all in quarantine stops the run', async () => {
  await writeFiles(join(cwd, 'images'), {
    'broken/a.png': 'no image',
    'broken/b.png': 'no image either',
  })
  const failure = await failureOf(runIn(cwd, { ...EXPERIMENT, maxQuarantine: 0.5 }))
  expect(failure.code).toBe('DATASET_CLASS_TOO_SMALL')
  expect(failure.message).toContain('broken')
})

describe('a registered dataset', () => {
  it('refuses a target or labels that it was not added with', async () => {
    await nameImages()
    for (const dataset of [
      { from: 'colours', target: 'regression' as const },
      { from: 'colours', labels: 'other.csv' },
    ]) {
      const failure = await failureOf(runIn(cwd, { ...EXPERIMENT, dataset }))
      expect(failure.code).toBe('REQUEST_INVALID')
      expect(failure.details[0]).toMatch(/^dataset\.(target|labels): /)
    }
  })

  it('takes the target that it was added with, named or not', async () => {
    await nameImages()
    const first = await runIn(cwd, { ...EXPERIMENT, dataset: { from: 'colours' } })
    const again = await runIn(cwd, {
      ...EXPERIMENT,
      dataset: { from: 'colours', target: 'single' },
    })
    expect(again.best).toBe(first.best)
    expect(again.featureSet.computed).toBe(0)
  })
})

it('a model name that moves to another run says so', async () => {
  const first = await runIn(cwd, { ...EXPERIMENT, name: 'colours' })
  const same = await runIn(cwd, { ...EXPERIMENT, name: 'colours' })
  expect(same.notices.join()).not.toContain('colours named')
  const moved = await runIn(cwd, { ...EXPERIMENT, name: 'colours', seed: 2 })
  const notice = moved.notices.find((message) => message.startsWith('colours named the run')) ?? ''
  expect(notice).toContain(first.best.slice(0, 12))
  expect(notice).toContain(moved.best.slice(0, 12))
})
