// Owns `headstart gc`: what nothing needs any more, and how much it is.
import type { Command } from 'commander'
import { collectGarbage, DEFAULT_GRACE_MS, type GarbageReport } from '../../catalog/gc.js'
import { GARBAGE_KINDS, type GarbageKind } from '../../catalog/plan-garbage.js'
import { HeadstartError } from '../../errors.js'
import { shortId } from '../../identity/hash.js'
import { type CommonOptions, type Report, runCommand } from '../context.js'
import { addCommonOptions, parseNumber } from '../options.js'
import { bytes, table } from '../tables.js'

const HOUR_MS = 3600 * 1000

const LABELS: Readonly<Record<GarbageKind, string>> = {
  shard: 'shards that no feature set names',
  extractor: 'extractors without features',
  base: 'bases that nothing needs',
  dataset: 'datasets that nothing needs',
  blob: 'pushed content that no dataset needs',
  run: 'runs that were never published',
  probe: 'leftovers of doctor',
}

const describe = (report: GarbageReport): string => {
  const { collected, total, young, danglingNames, unknownExtractors, dryRun } = report
  const rows = GARBAGE_KINDS.map((kind) => [
    LABELS[kind],
    String(collected[kind].objects),
    bytes(collected[kind].bytes),
  ])
  const sum = [dryRun ? 'would be removed' : 'removed', String(total.objects), bytes(total.bytes)]
  const lines = [table([...rows, sum], ['', 'objects', 'size'])]
  if (young.objects > 0)
    lines.push(
      `${young.objects} more (${bytes(young.bytes)}) are younger than ${report.graceMs / HOUR_MS} h and stay.`,
    )
  if (unknownExtractors.length > 0)
    lines.push(`All bases stay: ${unknownExtractors.length} extractors do not say which they need.`)
  for (const { kind, name, id } of danglingNames)
    lines.push(`The ${kind} name ${name} points to ${shortId(id)}, which is not there.`)
  return lines.join('\n')
}

export const addGcCommand = (program: Command): void => {
  addCommonOptions(
    program
      .command('gc')
      .description('remove what nothing needs any more: old shards, leftovers, unused bases')
      .option('--dry-run', 'say what would be removed and remove nothing')
      .option(
        '--grace-hours <n>',
        `what changed less than n hours ago stays (default ${DEFAULT_GRACE_MS / HOUR_MS})`,
        parseNumber,
      ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart gc --dry-run
  headstart gc --grace-hours 1      only while nobody is extracting or training`,
    )
    .action((options: CommonOptions & { dryRun?: boolean; graceHours?: number }) =>
      runCommand(options, async ({ workspace, signal }): Promise<Report> => {
        const { dryRun = false, graceHours = DEFAULT_GRACE_MS / HOUR_MS } = options
        if (graceHours < 0)
          throw new HeadstartError('REQUEST_INVALID', `--grace-hours ${graceHours}: 0 or more`)
        const { store } = workspace
        const graceMs = graceHours * HOUR_MS
        const report = await collectGarbage({ store, dryRun, graceMs, now: Date.now(), signal })
        return { json: report, text: describe(report) }
      }),
    )
}
