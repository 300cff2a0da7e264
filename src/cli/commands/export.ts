// Owns `headstart export`: a run as files that need no Headstart.
import { relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { shortId } from '../../identity/hash.js'
import type { ExportResult } from '../../model/export.js'
import { findRun } from '../../model/find-run.js'
import { type CommonOptions, type Report, runCommand } from '../context.js'
import { addEngineOptions } from '../options.js'
import { bytes, table } from '../tables.js'

interface ExportOptions extends CommonOptions {
  readonly to: string
}

const describeExport = ({ folder, card }: ExportResult, from: string): string => {
  const { exportCheck, files, lineage } = card
  const size = files.all.reduce((sum, file) => sum + file.bytes, 0)
  return table([
    ['run', shortId(lineage.runId)],
    ['folder', relative(from, folder) || folder],
    ['head', files.head],
    ['model', files.model ?? 'none: a GraphModel base cannot be composed with its head'],
    ['card', 'card.json, README.md'],
    ['size', bytes(size)],
    [
      'check',
      `loaded again, ${exportCheck.samples} inputs, max difference ${exportCheck.maxAbsDiff}`,
    ],
  ])
}

export const addExportCommand = (program: Command): void => {
  addEngineOptions(
    program
      .command('export')
      .description('write a run as plain TF.js models with a model card')
      .argument('<run>', 'name, id, or the first 6 or more characters of an id')
      .requiredOption('--to <dir>', 'new or empty folder'),
  )
    .addHelpText(
      'after',
      `
Writes head/ (features to outputs), for LayersModel bases also model/ (normalised pixels or rows to
outputs, loadable with tf.loadLayersModel), card.json and README.md. The written files are loaded
again and compared with the run before the command is done.

Examples:
  headstart export my-model --to ./my-model
  headstart export 3fa9c1d0 --to ./out --json | jq .card.exportCheck`,
    )
    .action(async (reference: string, options: ExportOptions) => {
      await runCommand(options, async ({ workspace, folder, signal }): Promise<Report> => {
        const { store, engines } = workspace
        const run = await findRun(store, reference)
        const target = resolve(folder, options.to)
        const { exportRun } = await import('../../model/export.js')
        const result = await exportRun({ store, engines, run, folder: target, signal })
        return { json: result, text: describeExport(result, folder) }
      })
    })
}
