// Owns the work that tests of the service ask for: the same folder of inputs, as often as needed, a
// training that is over soon and one that is not.
import { join } from 'node:path'
import { makeFolder } from '../../support/folders.js'
import { writeTinyBase } from '../../support/tiny-base.js'
import { tinyPng, writeFiles, writeTinyImages } from '../../support/tiny-images.js'

/** A base and images with two that are no images: a folder of inputs as any other of these. */
export const makeInputs = async (): Promise<string> => {
  const folder = await makeFolder()
  await writeTinyBase(join(folder, 'base'))
  await writeTinyImages(join(folder, 'images'), 6)
  const heads = [
    { kind: 'linear', epochs: 3 },
    { kind: 'mlp', width: 8, epochs: 2 },
  ]
  const base = { from: './base', cut: 'pool' }
  const dataset = { from: './images' }
  const experiment = { name: 'colours', base, dataset, heads, maxQuarantine: 0.2, views: 2 }
  await writeFiles(folder, {
    'images/red/broken.png': 'no image',
    'images/red/again.png': tinyPng(0, 100),
    'experiment.json': JSON.stringify(experiment),
  })
  return folder
}

const FROM = ['--base', 'base', '--cut', 'pool', '--dataset', 'images', '--max-quarantine', '0.2']

export const EXTRACT = ['extract', ...FROM]

/** Half a minute and more. @param seed another one is another job. */
export const longTraining = (seed: number): string[] => {
  const head = ['--head', 'mlp', '--width', '512', '--depth', '3', '--epochs', '10000']
  return ['train', ...FROM, ...head, '--seed', String(seed)]
}
