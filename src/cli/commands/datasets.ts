// Owns `headstart datasets`: what was indexed, under which names, and who was trained on it.
import type { Command } from 'commander'
import { type DatasetSummary, listDatasets } from '../../catalog/list.js'
import { removeDataset } from '../../catalog/remove.js'
import { type ShownDataset, showDataset } from '../../catalog/show.js'
import { SPLITS } from '../../dataset/types.js'
import { shortId } from '../../identity/hash.js'
import { addCatalogCommand, joinIds, joinNames, shapeText } from '../catalog-command.js'
import { bytes, table } from '../tables.js'

const contentText = (content: DatasetSummary['content']): string =>
  content.kind === 'image' ? 'images' : `${content.dtype} ${shapeText(content.shape)}`

const datasetRow = (item: DatasetSummary): string[] => [
  shortId(item.id),
  joinNames(item.names),
  contentText(item.content),
  item.target,
  String(item.classes),
  String(item.samples),
  ...SPLITS.map((split) => String(item.splits[split])),
  bytes(item.bytes),
]

const drawDatasets = (items: readonly DatasetSummary[]): string =>
  table(items.map(datasetRow), [
    ...['dataset', 'names', 'content', 'target', 'classes', 'samples'],
    ...SPLITS,
    'index',
  ])

const drawDataset = (shown: ShownDataset): string => {
  const { dataset, names, runs, featureSets } = shown
  const { target, counts, content } = dataset
  const named = names.map(({ name, from }) => `${name} (${from ?? '?'})`)
  const facts = table([
    ['dataset', dataset.datasetId],
    ['content id', dataset.contentId],
    ['names', joinNames(named)],
    ['content', contentText(content)],
    ['target', target.kind],
    ['samples', String(dataset.samples)],
    ['index', bytes(shown.bytes)],
    ['feature sets', joinIds(featureSets)],
    ['runs', joinIds(runs)],
  ])
  const rows = [['all', ...SPLITS.map((split) => String(counts[split].samples))]]
  if (target.kind !== 'regression')
    for (const [index, name] of target.classes.entries())
      rows.push([name, ...SPLITS.map((split) => String(counts[split].classes[index] ?? 0))])
  return `${facts}\n\n${table(rows, ['class', ...SPLITS])}`
}

export const addDatasetsCommand = (program: Command): void =>
  addCatalogCommand(program, {
    command: 'datasets',
    noun: 'dataset',
    description: 'list, show and remove datasets',
    reference: 'name, id, or the first 6 or more characters of an id',
    example: 'pets',
    list: listDatasets,
    drawList: drawDatasets,
    show: showDataset,
    drawShown: drawDataset,
    rm: { canForce: true, remove: removeDataset },
  })
