// Owns the TensorFlow of the tests: the real library, which `node scripts/setup.mjs --tests` builds.
// Where it can be built and is missing, tests fail; they are never skipped.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { platformProblem } from '../../scripts/tensorflow/platform.mjs'
import {
  DEFAULT_ENGINE_SETTINGS,
  type EngineSettings,
} from '../../src/extractor/engine-settings.js'
import { PROJECT } from './cli.js'

/** Why this machine cannot have the engine; null where the suite runs on it. */
export const tensorflowProblem = platformProblem()

const FOLDER = join(PROJECT, '.cache/tensorflow')

/** The folder of the build. */
export const tensorflowFolder = (): string => {
  if (!existsSync(join(FOLDER, 'headstart-tensorflow.json')))
    throw new Error(`${FOLDER} is missing: run \`node scripts/setup.mjs --tests\``)
  return FOLDER
}

export const tensorflowSettings = (change: Partial<EngineSettings> = {}): EngineSettings => ({
  ...DEFAULT_ENGINE_SETTINGS,
  tensorflowFolder: tensorflowFolder(),
  ...change,
})

/** The same, as the environment of a command. */
export const tensorflowEnvironment = (): Record<string, string> => ({
  HEADSTART_TENSORFLOW: tensorflowFolder(),
})

const FIXTURE = join(PROJECT, 'test/fixtures/saved-model')

/** A SavedModel that Keras wrote, and what Keras computes with it. */
export const SAVED_MODEL = join(FIXTURE, 'model')

export interface SavedModelFixture {
  /** [samples, height, width, channels], and of the outputs `grid` and `pooled`. */
  readonly input: readonly number[]
  readonly grid: readonly number[]
  readonly pooled: readonly number[]
  readonly parameters: number
}

export const readSavedModelFixture = async (): Promise<SavedModelFixture> =>
  JSON.parse(await readFile(join(FIXTURE, 'expected.json'), 'utf8')) as SavedModelFixture

/** float32 values, one array a sample. */
export const readSavedModelRows = async (
  name: 'input' | 'grid' | 'pooled',
): Promise<Float32Array[]> => {
  const bytes = new Uint8Array(await readFile(join(FIXTURE, `${name}.bin`)))
  const [samples = 0] = (await readSavedModelFixture())[name]
  const width = bytes.length / 4 / samples
  return Array.from({ length: samples }, (_, i) =>
    new Float32Array(bytes.buffer).slice(i * width, (i + 1) * width),
  )
}
