// Owns `headstart run`: the main job, and how its result looks.
import type { Command } from 'commander'
import { loadExperimentFile } from '../../experiment/load-file.js'
import type { ExperimentResult } from '../../experiment/result.js'
import { shortId } from '../../identity/hash.js'
import { type CommonOptions, type Report, runCommand } from '../context.js'
import { describeHead, metricCells, metricHead } from '../metrics-text.js'
import { addCommonOptions } from '../options.js'
import { seconds, table } from '../tables.js'

/** What `run` and `train` print for people. */
export const describeResult = (result: ExperimentResult): string => {
  const { featureSet, runs, parity, best } = result
  const rate =
    featureSet.computed === 0
      ? ''
      : ` (${(featureSet.computed / result.seconds.extract).toFixed(1)} samples/s)`
  // Nothing was trained, so no gate was passed now: this is what the run says of itself.
  const recorded = runs.some(({ trained }) => trained) ? '' : ' (when it was published)'
  const summary = table([
    ['samples', String(featureSet.samples)],
    ['computed', `${featureSet.computed}${rate}`],
    ['reused', String(featureSet.reused)],
    ['quarantined', String(featureSet.quarantined)],
    [
      'parity',
      `${parity.bitwise ? 'bitwise' : 'within tolerance'} on ${parity.samples} samples, max difference ${parity.maxAbsDiff}${recorded}`,
    ],
    [
      'time',
      `extract ${seconds(result.seconds.extract)}, train ${seconds(result.seconds.train)}, total ${seconds(result.seconds.total)}`,
    ],
  ])
  const rows = runs.map((run) => [
    `${shortId(run.id)}${run.id === best && runs.length > 1 ? ' (best)' : ''}`,
    describeHead(run.head),
    ...metricCells(run.metrics),
    run.trained ? 'trained' : 'existed',
  ])
  const first = runs[0]?.metrics
  return `${summary}\n\n${table(rows, ['run', 'head', ...metricHead(first), ''])}`
}

export const addRunCommand = (program: Command): void => {
  addCommonOptions(
    program
      .command('run')
      .description('extract what is missing, train, verify and publish')
      .argument(
        '<experiment.json>',
        'experiment file; schemas/experiment.schema.json describes it',
      ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart run experiment.json
  headstart run experiment.json --json | jq .runs[0].metrics.validation.accuracy`,
    )
    .action(async (file: string, options: CommonOptions) => {
      const { experiment, folder } = await loadExperimentFile(file)
      await runCommand(options, async ({ workspace, signal, progress }): Promise<Report> => {
        const { runExperiment } = await import('../../experiment/run.js')
        const { events } = progress
        const result = await runExperiment({ workspace, experiment, folder, signal, events })
        return { json: result, text: describeResult(result) }
      })
    })
}
