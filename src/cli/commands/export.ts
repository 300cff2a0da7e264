// Owns `headstart export`: a run as files that need no Headstart.
import { relative, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { shortId } from '../../identity/hash.js'
import type { ExportResult } from '../../model/export.js'
import { EXPORT_FORMATS, type ExportFormat } from '../../model/export-format.js'
import { findRun } from '../../model/find-run.js'
import { type CommonOptions, type Report, runCommand } from '../context.js'
import { addEngineOptions } from '../options.js'
import { bytes, table } from '../tables.js'

interface ExportOptions extends CommonOptions {
  readonly to: string
  readonly format: ExportFormat
  readonly foldBatchnorm?: boolean
}

const partRows = ({ files, notExported }: ExportResult['card']): string[][] => [
  ...(files.head === null ? [] : [['head', files.head]]),
  ...(files.model === null ? [] : [['model', files.model]]),
  ...(files.onnx === null ? [] : [['onnx', files.onnx.path]]),
  ...notExported.map(({ part, reason }) => [part, `none: ${reason}`]),
]

const describeExport = ({ folder, card }: ExportResult, from: string): string => {
  const { exportCheck, files, foldedBatchNormalization: folded, lineage } = card
  const size = files.all.reduce((sum, file) => sum + file.bytes, 0)
  return table([
    ['run', shortId(lineage.runId)],
    ['folder', relative(from, folder) || folder],
    ...partRows(card),
    ...(folded === null
      ? []
      : [
          [
            'batch norm',
            `${folded.folded} folded into a neighbour, ${folded.replaced} made fixed layers`,
          ],
        ]),
    ['card', 'card.json, README.md'],
    ['samples', files.samples === null ? 'none: one is too large' : `${files.samples.count}`],
    ['size', bytes(size)],
    ...exportCheck.files.map(({ path, loadedWith, maxAbsDiff }) => [
      'check',
      `${path} with ${loadedWith}, ${exportCheck.samples} inputs, max difference ${maxAbsDiff}`,
    ]),
  ])
}

export const addExportCommand = (program: Command): void => {
  addEngineOptions(
    program
      .command('export')
      .description('write a run as plain TF.js and ONNX models with a model card')
      .argument('<run>', 'name, id, or the first 6 or more characters of an id')
      .requiredOption('--to <dir>', 'new or empty folder')
      .addOption(
        new Option('--format <format>', 'what to write')
          .choices(EXPORT_FORMATS)
          .default('all', 'all that is possible'),
      )
      .option('--fold-batchnorm', 'write the composed TF.js model without BatchNormalization'),
  )
    .addHelpText(
      'after',
      `
Writes head/ (TF.js: features to outputs); model/ (TF.js: normalised pixels or rows to outputs) for
LayersModel bases; model.onnx (the same) for ONNX bases and those that could be compiled; samples/,
card.json and README.md. What a run cannot have is said with its reason; asked for by name, it is an
error. Every written model is loaded again and compared with the run before the command is done.

--fold-batchnorm folds each BatchNormalization into the layer beside it, or makes it a fixed layer, so
that training the exported model further cannot use the statistics of batches.

Examples:
  headstart export my-model --to ./my-model
  headstart export my-model --to ./my-model --format onnx
  headstart export my-model --to ./my-model --format tfjs --fold-batchnorm
  headstart export 3fa9c1d0 --to ./out --json | jq .card.exportCheck`,
    )
    .action(async (reference: string, options: ExportOptions) => {
      await runCommand(options, async ({ workspace, folder, signal }): Promise<Report> => {
        const { store, engines } = workspace
        const run = await findRun(store, reference)
        const target = resolve(folder, options.to)
        const { exportRun } = await import('../../model/export.js')
        const result = await exportRun({
          store,
          engines,
          run,
          folder: target,
          format: options.format,
          foldBatchNorm: options.foldBatchnorm ?? false,
          signal,
        })
        return { json: result, text: describeExport(result, folder) }
      })
    })
}
