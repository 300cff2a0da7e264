// Owns `headstart base add` and `headstart base layers`.
import type { Command } from 'commander'
import type { BaseRecord } from '../../extractor/base/load.js'
import { describeCompiled } from '../compiled-text.js'
import { type CommonOptions, runCommand } from '../context.js'
import { addCommonOptions, addEngineOptions } from '../options.js'
import { table } from '../tables.js'

const shape = (sizes: readonly (number | null)[]): string =>
  `[${sizes.map((size) => size ?? '?').join(', ')}]`

const describeBase = (record: BaseRecord): string =>
  table([
    ['base', record.baseId],
    ['format', record.format],
    ['parameters', record.parameters.toLocaleString('en')],
    ['input', shape(record.inputShape)],
    ['cuts', `${record.cuts.length} (headstart base layers lists them)`],
  ])

export const addBaseCommand = (program: Command): void => {
  const base = program.command('base').description('register bases and list where they can be cut')

  addEngineOptions(
    base
      .command('add')
      .description('register a base: TF.js LayersModel or GraphModel, ONNX, or SavedModel')
      .argument('<from>', 'folder, model.json, .onnx file or http(s) URL')
      .option('--name <name>', 'a name to use instead of the path')
      .option('--replace', 'let the name point to this base even if it is in use'),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart base add ./mobilenet_v2 --name mobilenet
  headstart base add ./vit.onnx --name vit
  headstart base add https://example.com/resnet50/model.json --name resnet50`,
    )
    .action((from: string, options: CommonOptions & { name?: string; replace?: boolean }) =>
      runCommand(options, async ({ workspace, folder, signal }) => {
        const { addBase } = await import('../../experiment/add-named.js')
        const { name, replace = false } = options
        const added = await addBase(workspace, { from, name, folder, replace, signal })
        const { record, compiled } = added
        const lines = [describeBase(record), ...(compiled ? ['', describeCompiled(compiled)] : [])]
        return { json: { ...record, compiled }, text: lines.join('\n') }
      }),
    )

  addCommonOptions(
    base
      .command('layers')
      .description('list the layers where a base can be cut, with the shape of one feature')
      .argument('<base>', 'registered name, id, folder, model.json or URL'),
  )
    .addHelpText('after', '\nExample:\n  headstart base layers mobilenet')
    .action((from: string, options: CommonOptions) =>
      runCommand(options, async ({ workspace, folder, signal }) => {
        const { resolveBase } = await import('../../experiment/references.js')
        const { cuts, baseId } = await resolveBase(workspace, from, folder, signal)
        const rows = cuts.map((cut) => [cut.path, cut.className, shape(cut.shape)])
        return { json: { baseId, cuts }, text: table(rows, ['cut', 'class', 'feature shape']) }
      }),
    )
}
