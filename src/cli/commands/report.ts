// Owns `headstart report`: the page of a run or a sweep, written now, and where it lies.
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { HeadstartError, messageOf } from '../../errors.js'
import { type CommonOptions, type Context, type Report, runCommand } from '../context.js'
import { addCommonOptions } from '../options.js'
import { pathInStore } from '../store-path.js'
import { table } from '../tables.js'

interface ReportOptions extends CommonOptions {
  readonly to?: string
  readonly content?: string
}

const copyTo = async ({ workspace, folder }: Context, key: string, to: string): Promise<string> => {
  const path = resolve(folder, to)
  const bytes = await workspace.store.get(key)
  if (bytes === null) throw new HeadstartError('STORE_CORRUPT', `${key} is gone`)
  try {
    await writeFile(path, bytes)
  } catch (cause) {
    throw new HeadstartError('REQUEST_INVALID', `cannot write ${path}: ${messageOf(cause)}`, {
      cause,
    })
  }
  return path
}

const report = async (
  context: Context,
  reference: string,
  { to, content }: ReportOptions,
): Promise<Report> => {
  const { writeReport } = await import('../../experiment/report.js')
  const { workspace, signal } = context
  const written = await writeReport({ workspace, reference, content, signal })
  const path =
    to === undefined
      ? pathInStore(workspace.store, written.html)
      : await copyTo(context, written.html, to)
  const text = table([
    [written.kind, written.id],
    ['page', path],
    ['data', pathInStore(workspace.store, written.json)],
  ])
  return { json: { ...written, path }, text }
}

export const addReportCommand = (program: Command): void => {
  addCommonOptions(
    program
      .command('report')
      .description('write the report of a run or a sweep: one HTML file that needs no network')
      .argument('<run|sweep>', 'id, a unique beginning of it, or model name')
      .option('--to <file>', 'copy the page there')
      .option('--content <path>', 'path or s3:// address of the dataset now, for thumbnails'),
  )
    .addHelpText(
      'after',
      `
The report of the best head is written when an experiment ends; those of other heads of a large
sweep when they are asked for.

Examples:
  headstart report pets-v1
  headstart report 3f9a1c2e --to report.html`,
    )
    .action((reference: string, options: ReportOptions) =>
      runCommand(options, (context) => report(context, reference, options)),
    )
}
