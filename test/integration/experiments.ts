// Experiments in the process of the test, on the embedded store of a working directory.
import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { prepareBase, prepareEmoji } from '../../examples/samples/prepare.mjs'
import { type ExtractOnlyResult, extractOnly } from '../../src/experiment/extract-only.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { runExperiment } from '../../src/experiment/run.js'
import {
  type ExperimentInput,
  parseExperiment,
  parseExtraction,
} from '../../src/experiment/schema.js'
import { openWorkspace, type Workspace } from '../../src/experiment/workspace.js'
import { engineSettingsForTests } from '../support/engines.js'
import { makeFolder } from '../support/folders.js'

export interface Outcome extends ExperimentResult {
  readonly notices: readonly string[]
}

export const openIn = (cwd: string): Promise<Workspace> =>
  openWorkspace({ directory: cwd, cacheBytes: 2 ** 30, engines: engineSettingsForTests })

/** Runs an experiment in the store of `cwd`; relative paths start there too. */
export const runIn = async (cwd: string, input: ExperimentInput): Promise<Outcome> => {
  const workspace = await openIn(cwd)
  const notices: string[] = []
  try {
    const result = await runExperiment({
      workspace,
      experiment: parseExperiment(input),
      folder: cwd,
      events: { onNotice: (message) => notices.push(message) },
    })
    return { ...result, notices }
  } finally {
    await workspace.close()
  }
}

/** Only stage 1 of an experiment. */
export const extractIn = async (
  cwd: string,
  { heads: _heads, name: _name, seed: _seed, ...input }: ExperimentInput,
): Promise<ExtractOnlyResult['featureSets']> => {
  const workspace = await openIn(cwd)
  try {
    const extraction = parseExtraction(input)
    return (await extractOnly({ workspace, extraction, folder: cwd })).featureSets
  } finally {
    await workspace.close()
  }
}

export interface RealInputs {
  readonly base: string
  /** Nine class folders of real emoji. */
  readonly images: string
}

/** The pretrained MobileNetV2 and `perClass` emoji of each of nine classes. */
export const prepareRealInputs = async (perClass: number): Promise<RealInputs> => {
  const folder = await makeFolder()
  const inputs = { base: join(folder, 'base'), images: join(folder, 'images') }
  await prepareBase('mobilenet_v2', inputs.base)
  await prepareEmoji(inputs.images, { limitPerClass: perClass })
  return inputs
}

/** Copies class folders; of each, the files that `take` picks from the sorted names. */
export const copyImages = async (
  from: string,
  to: string,
  take: (names: readonly string[]) => readonly string[] = (names) => names,
): Promise<string> => {
  for (const className of await readdir(from)) {
    await mkdir(join(to, className), { recursive: true })
    for (const name of take((await readdir(join(from, className))).sort()))
      await cp(join(from, className, name), join(to, className, name))
  }
  return to
}
