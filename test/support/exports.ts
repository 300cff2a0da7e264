// Owns exports of real runs for the tests that load them elsewhere: every task, three kinds of heads,
// bases of three formats. Each run is exported as it would be by hand.
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import { runExperiment } from '../../src/experiment/run.js'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import { parseExperiment } from '../../src/experiment/schema.js'
import { type ExportResult, exportRun } from '../../src/model/export.js'
import { loadRun } from '../../src/model/run-record.js'
import { bytesOf, npyBytes } from '../dataset/support.js'
import { BASES, randomValues } from '../head/models.js'
import { type Place, writeBase, writeImages, writeRows } from '../model/runs.js'
import { graphBaseInMemory, writeBase as writeTfjsBase } from './base-files.js'
import { FIXTURES } from './onnx-models.js'

const EPOCHS = 2

/** Behind a Dense layer, behind its activation, and before the last one: BatchNormalization with both fates. */
const customTopology = (width: number, units: number) =>
  sequential({
    layers: [
      layers.batchNormalization({ inputShape: [width], name: 'first' }),
      layers.dense({ units: 6, useBias: false, name: 'hidden' }),
      layers.batchNormalization({ name: 'normal' }),
      layers.activation({ activation: 'elu', name: 'curved' }),
      layers.dropout({ rate: 0.2, name: 'dropped' }),
      layers.dense({ units, name: 'last' }),
    ],
  }).toJSON(null, false)

type Heads = NonNullable<ExperimentInput['heads']>

const headsFor = (width: number, units: number): Heads =>
  [
    { kind: 'linear', epochs: EPOCHS, learningRate: 0.05 },
    { kind: 'mlp', width: 7, depth: 2, dropout: 0.2, epochs: EPOCHS, learningRate: 0.05 },
    {
      kind: 'custom',
      topology: JSON.parse(JSON.stringify(customTopology(width, units))),
      epochs: EPOCHS,
      learningRate: 0.05,
    },
  ] as Heads

/** Rows of 6 values with one or two of three labels each. */
const writeLabelledRows = async (folder: string): Promise<{ from: string; labels: string }> => {
  const rows = 48
  const values = randomValues(rows * 6, 'labelled')
  const labels = Array.from({ length: rows }, (_, i) =>
    i % 4 === 0 ? 'a|b' : ['a', 'b', 'c'][i % 3],
  )
  await mkdir(folder, { recursive: true })
  const [from, table] = [join(folder, 'x.npy'), join(folder, 'y.csv')]
  await writeFile(from, npyBytes({ shape: [rows, 6] }, bytesOf(values)))
  await writeFile(table, `label\n${labels.join('\n')}\n`)
  return { from, labels: table }
}

/** What is trained, by name; three heads each. */
export const experimentsIn = async (
  folder: string,
): Promise<ReadonlyMap<string, ExperimentInput>> => {
  const at = (...names: string[]) => join(folder, ...names)
  await writeImages(at('images'), 8)
  await writeBase(at('layers'), BASES.nestedMiddle())
  const wide = sequential({
    layers: [
      layers.dense({ units: 9, inputShape: [6], activation: 'tanh', name: 'wide' }),
      layers.batchNormalization({ name: 'bn' }),
    ],
  })
  await writeBase(at('row-base'), wide)
  await writeTfjsBase(graphBaseInMemory(), at('graph'))
  await mkdir(at('onnx'))
  await copyFile(join(FIXTURES, 'torch.onnx'), at('onnx', 'model.onnx'))
  const labelled = await writeLabelledRows(at('labelled'))
  const rows = await writeRows(at('rows'))
  const images = { from: './images' }
  return new Map<string, ExperimentInput>([
    [
      'single, LayersModel',
      {
        base: { from: './layers', cut: 'model2/model2_bn' },
        preprocess: { range: 'caffe' },
        dataset: images,
        heads: headsFor(5, 3),
      },
    ],
    [
      'multi, LayersModel of rows',
      {
        base: { from: './row-base', cut: 'bn' },
        dataset: { ...labelled, target: 'multi' },
        heads: headsFor(9, 3),
      },
    ],
    [
      'regression, LayersModel of rows',
      {
        base: { from: './row-base', cut: 'bn' },
        dataset: { ...rows, target: 'regression' },
        heads: headsFor(9, 2),
      },
    ],
    [
      'single, GraphModel',
      {
        base: { from: './graph', cut: 'relu', pooling: 'max' },
        dataset: images,
        heads: headsFor(5, 3),
      },
    ],
    [
      'single, ONNX with channels first',
      {
        base: { from: './onnx/model.onnx', cut: 'maps', pooling: 'avg' },
        preprocess: { size: [24, 24], range: 'torch' },
        dataset: images,
        heads: headsFor(20, 3),
      },
    ],
  ])
}

/** Trains the heads of an experiment and exports every one. @param to folder of the exports. */
export const exportAll = async (
  { workspace, folder }: Place,
  experiment: ExperimentInput,
  to: string,
): Promise<ExportResult[]> => {
  const { runs } = await runExperiment({
    workspace,
    experiment: parseExperiment(experiment),
    folder,
  })
  const results: ExportResult[] = []
  for (const [i, { id }] of runs.entries()) {
    const run = await loadRun(workspace.store, id)
    if (run === null) throw new Error(`the run ${id} was not published`)
    const target = join(to, String(i))
    // Every other one without BatchNormalization, where there is a TF.js model of base and head.
    const foldBatchNorm = i !== 1 && run.extractor.base.format === 'layers-model'
    results.push(await exportRun({ store: workspace.store, run, folder: target, foldBatchNorm }))
  }
  return results
}
