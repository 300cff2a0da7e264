// Owns `headstart dataset`: registering datasets, and pushing their content to the store.
import type { Command } from 'commander'
import { datasetSpecSchema } from '../../dataset/spec.js'
import { type Dataset, SPLITS } from '../../dataset/types.js'
import type { PushedDataset } from '../../experiment/push.js'
import { parseWith } from '../../experiment/schema.js'
import { type CommonOptions, runCommand } from '../context.js'
import {
  addCommonOptions,
  addDatasetOptions,
  type DatasetOptions,
  datasetInput,
} from '../options.js'
import { bytes, table } from '../tables.js'

const summarise = ({ datasetId, contentId, content, target, samples, notes }: Dataset) => ({
  datasetId,
  contentId,
  content,
  target,
  samples: samples.length,
  splits: Object.fromEntries(
    SPLITS.map((split) => [split, samples.filter((sample) => sample.split === split).length]),
  ),
  notes,
})

const describe = (dataset: Dataset): string => {
  const { splits } = summarise(dataset)
  const { target } = dataset
  const names = target.kind === 'regression' ? target.outputs : target.classes
  return table([
    ['dataset', dataset.datasetId],
    ['samples', String(dataset.samples.length)],
    ['splits', SPLITS.map((split) => `${split} ${splits[split]}`).join(', ')],
    [target.kind === 'regression' ? 'outputs' : 'classes', `${names.length}: ${names.join(', ')}`],
  ])
}

const describePush = ({ datasetId, samples, uploaded, present, ...more }: PushedDataset): string =>
  table([
    ['dataset', datasetId],
    ['samples', String(samples)],
    ['uploaded', `${uploaded} (${bytes(more.bytes)})`],
    ['already there', String(present)],
    ...(more.tooLarge > 0 ? [['over 64 MiB, left out', String(more.tooLarge)]] : []),
  ])

const addPushCommand = (dataset: Command): void => {
  addCommonOptions(
    dataset
      .command('push')
      .description('upload the content of a dataset to the store, for other machines')
      .argument('<dataset>', 'name, id, or the first 6 or more characters of an id'),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart dataset push pets
  headstart dataset push pets --json        what is there already is not uploaded again`,
    )
    .action((reference: string, options: CommonOptions) =>
      runCommand(options, async ({ workspace, progress, signal }) => {
        const { findPlaces } = await import('../../catalog/find-places.js')
        const { pushDataset } = await import('../../experiment/push.js')
        const { id: datasetId, places } = await findPlaces(workspace.store, reference)
        const { events } = progress
        const pushed = await pushDataset({ workspace, datasetId, from: places, signal, events })
        return { json: pushed, text: describePush(pushed) }
      }),
    )
}

export const addDatasetCommand = (program: Command): void => {
  const dataset = program.command('dataset').description('register and push datasets')
  addCommonOptions(
    addDatasetOptions(
      dataset
        .command('add')
        .description('index a dataset and give it a name')
        .argument('<from>', 'folder of class folders, .csv, .jsonl, .npy, .arrow or s3://')
        .requiredOption('--name <name>', 'name of the dataset')
        .option('--replace', 'let the name point to this dataset even if it is in use'),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart dataset add ./images --name pets
  headstart dataset add prices.csv --name prices --target regression
  headstart dataset add rows.npy --labels labels.csv --name sensors
  headstart dataset add s3://photos/pets --name pets`,
    )
    .action(
      (
        from: string,
        options: CommonOptions & DatasetOptions & { name: string; replace?: boolean },
      ) =>
        runCommand(options, async ({ workspace, progress, signal, folder }) => {
          const { addDataset } = await import('../../experiment/add-named.js')
          const opened = await addDataset(workspace.store, {
            spec: parseWith(datasetSpecSchema, datasetInput(from, options), 'the dataset'),
            split: options.split,
            folder,
            hashCacheDir: workspace.hashCacheDir,
            objects: workspace.objects,
            signal,
            onProgress: progress.events.onIndex,
            name: options.name,
            replace: options.replace ?? false,
          })
          await opened.reader.close()
          for (const note of opened.dataset.notes) progress.events.onNotice?.(note)
          return { json: summarise(opened.dataset), text: describe(opened.dataset) }
        }),
    )
  addPushCommand(dataset)
}
