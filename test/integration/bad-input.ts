// A working directory with a sound base and sound images, and the commands that the tests of bad
// input give it.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type JsonFailure, runFailing } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'
import { keysBelow, readEverything, storeIn } from './state.js'

export const PER_CLASS = 6

/** `base` and `images` in a new folder. */
export const makeSound = async (): Promise<string> => {
  const cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), PER_CLASS)
  return cwd
}

const EXPERIMENT = {
  base: { from: 'base', cut: 'pool' },
  dataset: { from: 'images' },
  heads: [{ kind: 'linear', epochs: 2 }],
  engine: 'wasm',
}

export const experimentWith = (change: object): object => ({ ...EXPERIMENT, ...change })

/** Writes an experiment, text as it is, and gives the arguments that run it. */
export const writeExperiment = async (
  cwd: string,
  experiment: object | string = EXPERIMENT,
): Promise<string[]> => {
  const text = typeof experiment === 'string' ? experiment : JSON.stringify(experiment)
  await writeFile(join(cwd, 'experiment.json'), text)
  return ['run', 'experiment.json']
}

export type Failure = JsonFailure & { readonly exitCode: number | null; readonly all: string }

/** Runs what must fail; `all` is the message with its details. Nothing half-written may be left. */
export const failWith = async (cwd: string, args: readonly string[]): Promise<Failure> => {
  const failure = await runFailing(args, { cwd })
  expect(failure.stderr).toContain(`error ${failure.code}: ${failure.message}`)
  expect(failure.remedy).not.toBe('')
  await readEverything(cwd)
  expect(await keysBelow(storeIn(cwd), 'runs/')).toEqual([])
  return { ...failure, all: [failure.message, ...failure.details].join('\n') }
}

export const failExperiment = async (
  cwd: string,
  change: object | string = {},
): Promise<Failure> => {
  const experiment = typeof change === 'string' ? change : experimentWith(change)
  return failWith(cwd, await writeExperiment(cwd, experiment))
}
