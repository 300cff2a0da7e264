// Owns `headstart bases`: what was registered, under which names, and what needs it.
import type { Command } from 'commander'
import { type BaseSummary, listBases } from '../../catalog/list.js'
import { removeBase } from '../../catalog/remove.js'
import { type ShownBase, showBase } from '../../catalog/show.js'
import { shortId } from '../../identity/hash.js'
import { addCatalogCommand, joinIds, joinNames, shapeText } from '../catalog-command.js'
import { describeCompiled } from '../compiled-text.js'
import { bytes, table } from '../tables.js'

const baseRow = (item: BaseSummary): string[] => [
  shortId(item.id),
  joinNames(item.names),
  item.format,
  item.parameters.toLocaleString('en'),
  shapeText(item.inputShape),
  String(item.cuts),
  bytes(item.bytes),
]

const drawBases = (items: readonly BaseSummary[]): string =>
  table(items.map(baseRow), ['base', 'names', 'format', 'parameters', 'input', 'cuts', 'size'])

const drawBase = ({ base, compiled, names, bytes: size, runs, featureSets }: ShownBase): string => {
  const facts = table([
    ['base', base.baseId],
    ['names', joinNames(names)],
    ['format', base.format],
    ['parameters', base.parameters.toLocaleString('en')],
    ['input', shapeText(base.inputShape)],
    ['cuts', `${base.cuts.length} (headstart base layers lists them)`],
    ['size', bytes(size)],
    ['feature sets', joinIds(featureSets)],
    ['runs', joinIds(runs)],
  ])
  const rows = base.files.map((file) => [file.path, bytes(file.bytes), shortId(file.sha256)])
  const engines = compiled === null ? '' : `\n\n${describeCompiled(compiled)}`
  return `${facts}${engines}\n\n${table(rows, ['file', 'size', 'sha256'])}`
}

export const addBasesCommand = (program: Command): void =>
  addCatalogCommand(program, {
    command: 'bases',
    noun: 'base',
    description: 'list, show and remove registered bases',
    reference: 'name, id, or the first 6 or more characters of an id',
    example: 'mobilenet',
    list: listBases,
    drawList: drawBases,
    show: showBase,
    drawShown: drawBase,
    rm: { canForce: true, remove: removeBase },
  })
