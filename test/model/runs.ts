// Owns real runs for the tests of exporting: small bases, generated images and rows, one command.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LayersModel } from '@tensorflow/tfjs-layers'
import sharp from 'sharp'
import { runExperiment } from '../../src/experiment/run.js'
import { type ExperimentInput, parseExperiment } from '../../src/experiment/schema.js'
import { openWorkspace, type Workspace } from '../../src/experiment/workspace.js'
import { headArtifactsOf, readWeights } from '../../src/head/artifacts.js'
import { ensureHeadBackend } from '../../src/head/backend.js'
import { saveModelFolder } from '../../src/head/model-files.js'
import { loadRun, type RunRecord } from '../../src/model/run-record.js'
import { bytesOf, npyBytes } from '../dataset/support.js'
import { fillWeights, freeWeights, randomValues } from '../head/models.js'

export interface Place {
  readonly folder: string
  readonly workspace: Workspace
  /** Trains; the best run. */
  train(experiment: ExperimentInput): Promise<RunRecord>
  close(): Promise<void>
}

/** Models can be built once it is open. */
export const openPlace = async (): Promise<Place> => {
  await ensureHeadBackend()
  const folder = await mkdtemp(join(tmpdir(), 'export-'))
  const workspace = await openWorkspace({ directory: folder, cacheBytes: 2 ** 20 })
  return {
    folder,
    workspace,
    train: async (experiment) => {
      const request = { workspace, experiment: parseExperiment(experiment), folder }
      const { best } = await runExperiment(request)
      const run = await loadRun(workspace.store, best)
      if (run === null) throw new Error('no run was published')
      return run
    },
    close: async () => {
      await workspace.close()
      await rm(folder, { recursive: true })
    },
  }
}

/** Saves a model as a base and frees it. */
export const writeBase = async (folder: string, model: LayersModel): Promise<string> => {
  fillWeights(model, folder.split('/').at(-1) ?? '')
  await saveModelFolder(folder, headArtifactsOf(model, readWeights(model)))
  freeWeights(model)
  return folder
}

export const CLASSES = ['blue | sea', 'green_field', 'red `brick`']

/** Images of 20 x 14 pixels, one main colour a class. */
export const writeImages = async (folder: string, perClass = 12): Promise<string> => {
  for (const [index, name] of CLASSES.entries()) {
    await mkdir(join(folder, name), { recursive: true })
    for (let n = 0; n < perClass; n += 1) {
      const noise = randomValues(20 * 14 * 3, name, n)
      const pixels = noise.map((v, i) => 128 + 60 * v + (i % 3 === 2 - index ? 60 : -60))
      await sharp(Uint8Array.from(pixels), { raw: { width: 20, height: 14, channels: 3 } })
        .png()
        .toFile(join(folder, name, `${n}.png`))
    }
  }
  return folder
}

/** Rows of 6 values, and two regression targets that depend on them, far from 1 in size. */
export const writeRows = async (folder: string): Promise<{ from: string; labels: string }> => {
  await mkdir(folder, { recursive: true })
  const rows = 60
  const values = randomValues(rows * 6, 'rows')
  const labels = Array.from({ length: rows }, (_, row) => {
    const [a = 0, b = 0] = values.subarray(row * 6, row * 6 + 2)
    return `${1000 + 300 * a}|${b}`
  })
  const [from, table] = [join(folder, 'x.npy'), join(folder, 'y.csv')]
  await writeFile(from, npyBytes({ shape: [rows, 6] }, bytesOf(values)))
  await writeFile(table, `label\n${labels.join('\n')}\n`)
  return { from, labels: table }
}
