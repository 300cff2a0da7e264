// Owns `headstart run`: the main job, in this process or through a service, and how its result looks.
import type { Command } from 'commander'
import { loadExperimentFile } from '../../experiment/load-file.js'
import type { ExperimentResult } from '../../experiment/result.js'
import { experimentPageKey } from '../../model/report-keys.js'
import { type CommonOptions, type Context, type Report, runCommand } from '../context.js'
import { describeEnqueued } from '../job-text.js'
import { addDetachOption, addEngineOptions, type DetachOption } from '../options.js'
import { openService, requireService, withService } from '../service/choose.js'
import {
  type ExperimentOrder,
  enqueueExperiment,
  runThroughService,
} from '../service/experiment.js'
import { pathInStore } from '../store-path.js'
import { describeHeads } from '../sweep-text.js'
import { seconds, table } from '../tables.js'

const describeResult = (result: ExperimentResult, { workspace: { store } }: Context): string => {
  const { featureSet, runs, parity } = result
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
  const page = experimentPageKey(result.sweep, result.best)
  return `${summary}\n\n${describeHeads(result)}\n\nreport: ${pathInStore(store, page)}`
}

const runHere = async (
  { workspace, signal, progress: { events } }: Context,
  order: ExperimentOrder,
): Promise<ExperimentResult> => {
  const { runExperiment } = await import('../../experiment/run.js')
  return runExperiment({ workspace, ...order, signal, events })
}

/** What `run` and `train` do and print. */
export const reportExperiment = async (
  context: Context,
  order: ExperimentOrder,
  { detach = false }: DetachOption,
): Promise<Report> => {
  if (detach) {
    const json = await withService(await requireService(context), (chosen) =>
      enqueueExperiment(context, chosen, order),
    )
    return { json, text: describeEnqueued(json) }
  }
  const service = await openService(context)
  const json = await (service === null
    ? runHere(context, order)
    : withService(service, (chosen) => runThroughService(context, chosen, order)))
  return { json, text: describeResult(json, context) }
}

export const addRunCommand = (program: Command): void => {
  addDetachOption(
    addEngineOptions(
      program
        .command('run')
        .description('extract what is missing, train, verify and publish')
        .argument(
          '<experiment.json>',
          'experiment file; schemas/experiment.schema.json describes it',
        ),
    ),
  )
    .addHelpText(
      'after',
      `
While \`headstart up\` runs here, or with HEADSTART_QUEUE=redis://..., its workers do the work.

Examples:
  headstart run experiment.json
  headstart run experiment.json --json | jq .runs[0].metrics.validation.accuracy
  headstart run sweep.json                      many heads: a list, a grid or a random search
  headstart run experiment.json --detach

The best head by "select" is published under "name"; the test split is read for it alone.`,
    )
    .action(async (file: string, options: CommonOptions & DetachOption) => {
      const order = await loadExperimentFile(file)
      await runCommand(options, (context) => reportExperiment(context, order, options))
    })
}
