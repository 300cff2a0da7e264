// Owns `headstart doctor`: one line a check, and how to mend what is wrong.
import type { Command } from 'commander'
import type { Diagnosis } from '../../catalog/doctor.js'
import type { Check } from '../../catalog/doctor-check.js'
import { type CommonOptions, type Report, runCommand } from '../context.js'
import { EXIT_CODES } from '../exit-codes.js'
import { addEngineOptions } from '../options.js'
import { table } from '../tables.js'

const LABELS: Readonly<Record<Check['status'], string>> = {
  ok: 'ok',
  warning: 'WARNING',
  failed: 'FAILED',
}

const describe = ({ checks, healthy }: Diagnosis): string => {
  const rows = checks.map(({ name, status, seen }) => [LABELS[status], name, seen])
  const mends = checks.flatMap(({ name, mend }) => (mend === null ? [] : [`${name}: ${mend}`]))
  const summary = healthy
    ? 'Nothing failed.'
    : `${checks.filter(({ status }) => status === 'failed').length} of ${checks.length} checks failed.`
  return [table(rows), '', ...mends, summary].join('\n')
}

export const addDoctorCommand = (program: Command): void => {
  addEngineOptions(
    program
      .command('doctor')
      .description('check this machine, the store and the queue: engines, writes, races, clocks'),
  )
    .addHelpText(
      'after',
      `
The exit code is 0 when nothing failed, else 1.

Examples:
  headstart doctor
  headstart doctor --store s3://bucket/prefix --json
  HEADSTART_QUEUE=redis://127.0.0.1:6379 headstart doctor`,
    )
    .action((options: CommonOptions) =>
      runCommand(options, async ({ config, workspace }): Promise<Report> => {
        const { store, engines, hashCacheDir, checkpointDir } = workspace
        const folders = [
          { name: 'cache folder', path: hashCacheDir },
          { name: 'checkpoint folder', path: checkpointDir },
        ]
        const { runDoctor } = await import('../../catalog/doctor.js')
        const { s3Address } = await import('../../catalog/doctor-clock.js')
        const { checkQueue } = await import('../../queue/doctor-queue.js')
        const { queueUrl, s3Endpoint, s3Region } = config
        const diagnosis = await runDoctor({
          store,
          engines,
          folders,
          s3Address: s3Address(s3Endpoint, s3Region),
          further: queueUrl === undefined ? [] : [() => checkQueue(queueUrl)],
        })
        const exitCode = diagnosis.healthy ? EXIT_CODES.done : EXIT_CODES.failed
        return { json: diagnosis, text: describe(diagnosis), exitCode }
      }),
    )
}
