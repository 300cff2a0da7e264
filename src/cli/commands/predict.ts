// Owns `headstart predict`.
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { HeadstartError } from '../../errors.js'
import { findRun } from '../../model/find-run.js'
import type { NamedPrediction } from '../../model/predict.js'
import { type CommonOptions, EXIT_CODES, runCommand } from '../context.js'
import { addCommonOptions, parseCount } from '../options.js'
import { table } from '../tables.js'

const DEFAULT_TOP = 3

/** Paths from the command line; `-` stands for one path a line on stdin. */
async function* pathsOf(paths: readonly string[]): AsyncGenerator<string> {
  for (const path of paths) {
    if (path !== '-') yield path
    else for await (const line of createInterface({ input: process.stdin })) if (line) yield line
  }
}

const describe = (predictions: readonly NamedPrediction[], top: number): string =>
  table(
    predictions.map((prediction) =>
      prediction.ok
        ? [
            prediction.name,
            ...prediction.labels.slice(0, top).map((l) => `${l.label} ${l.value.toFixed(3)}`),
          ]
        : [prediction.name, `not predicted: ${prediction.problem}`],
    ),
  )

export const addPredictCommand = (program: Command): void => {
  addCommonOptions(
    program
      .command('predict')
      .description('predict files with a published run')
      .argument('<run>', 'run id, a unique beginning of it, or model name')
      .argument('<paths...>', 'files, folders, .npy for tensor models, or - for paths on stdin')
      .option('--top <n>', `labels to print (default ${DEFAULT_TOP})`, parseCount),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart predict pets-v1 photo.jpg more-photos/
  find . -name '*.jpg' | headstart predict pets-v1 - --json`,
    )
    .action((reference: string, paths: string[], options: CommonOptions & { top?: number }) =>
      runCommand(options, async ({ workspace, signal }) => {
        const { readInputs } = await import('../../model/inputs.js')
        const { openModel } = await import('../../model/open-model.js')
        const { predictInputs } = await import('../../model/predict.js')
        const run = await findRun(workspace.store, reference)
        const model = await openModel(workspace.store, run)
        const predictions: NamedPrediction[] = []
        try {
          const inputs = readInputs(pathsOf(paths), run.extractor)
          for await (const prediction of predictInputs(model, inputs, signal))
            predictions.push(prediction)
        } finally {
          await model.close()
        }
        if (predictions.length === 0)
          throw new HeadstartError('INPUT_MISSING', `no image was found in ${paths.join(', ')}`)
        return {
          json: { run: run.runId, predictions },
          text: describe(predictions, options.top ?? DEFAULT_TOP),
          ...(predictions.every(({ ok }) => ok) ? {} : { exitCode: EXIT_CODES.failed }),
        }
      }),
    )
}
