// Owns `headstart features`: feature sets, what computed them, and which runs were trained on them.
import type { Command } from 'commander'
import { type FeatureSetSummary, listFeatureSets, viewIndexOf } from '../../catalog/list.js'
import { removeFeatureSet } from '../../catalog/remove.js'
import { type ShownFeatureSet, showFeatureSet } from '../../catalog/show.js'
import { shortId } from '../../identity/hash.js'
import { addCatalogCommand, joinIds, shapeText } from '../catalog-command.js'
import { bytes, table } from '../tables.js'

const MAX_QUARANTINED = 20

const featureRow = (item: FeatureSetSummary): string[] => [
  shortId(item.id),
  item.extractor === null ? '?' : shortId(item.extractor.base),
  item.extractor?.cut ?? '?',
  item.extractor?.engine ?? '?',
  String(item.extractor?.view ?? '?'),
  shapeText(item.featureShape),
  String(item.rows),
  String(item.quarantined),
  String(item.shards),
  bytes(item.bytes),
]

const FEATURE_HEAD = [
  ...['feature set', 'base', 'cut', 'engine', 'view', 'feature'],
  ...['rows', 'quarantined', 'shards', 'size'],
]

const drawFeatureSets = (items: readonly FeatureSetSummary[]): string =>
  table(items.map(featureRow), FEATURE_HEAD)

const drawFeatureSet = ({ featureSet, extractor, bytes: size, runs }: ShownFeatureSet): string => {
  const { quarantine, shards } = featureSet
  const extractorRows =
    extractor === null
      ? [['extractor', `${featureSet.extractorId} (its document is gone)`]]
      : [
          ['extractor', featureSet.extractorId],
          ['base', shortId(extractor.base.id)],
          ['cut', `${extractor.cut}, pooling ${extractor.pooling}`],
          ['engine', extractor.engine],
          ['view', String(viewIndexOf(extractor))],
        ]
  const facts = table([
    ['feature set', featureSet.featureSetId],
    ['content id', featureSet.contentId],
    ...extractorRows,
    ['feature', shapeText(featureSet.featureShape)],
    ['rows', String(featureSet.rows)],
    ['shards', `${shards.length}, ${bytes(size)}`],
    ['runs', joinIds(runs)],
    ['quarantined', String(quarantine.length)],
  ])
  const shown = quarantine
    .slice(0, MAX_QUARANTINED)
    .map(({ key, reason }) => [shortId(key), reason])
  return shown.length === 0 ? facts : `${facts}\n\n${table(shown, ['sample', 'reason'])}`
}

export const addFeaturesCommand = (program: Command): void =>
  addCatalogCommand(program, {
    command: 'features',
    noun: 'feature set',
    description: 'list, show and remove feature sets',
    reference: 'id, or its first 6 or more characters',
    example: '3f9a0c21b7de',
    list: listFeatureSets,
    drawList: drawFeatureSets,
    show: showFeatureSet,
    drawShown: drawFeatureSet,
    rm: { canForce: true, remove: removeFeatureSet },
  })
