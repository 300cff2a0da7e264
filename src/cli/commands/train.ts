// Owns `headstart train`: one head from options, the same job as `headstart run`.
import type { Command } from 'commander'
import { parseExperiment } from '../../experiment/schema.js'
import { type CommonOptions, runCommand } from '../context.js'
import {
  addCommonOptions,
  addExtractionOptions,
  addHeadOptions,
  type ExtractionOptions,
  extractionInput,
  type HeadOptions,
  trainingInput,
} from '../options.js'
import { describeResult } from './run.js'

export const addTrainCommand = (program: Command): void => {
  addCommonOptions(
    addHeadOptions(
      addExtractionOptions(
        program
          .command('train')
          .description('train one head; features that are missing are extracted first'),
      ),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart train --base mobilenet --cut flatten_1 --dataset pets --head linear --name pets-v1
  headstart train --base mobilenet --cut flatten_1 --dataset pets --head mlp --width 128 --dropout 0.3`,
    )
    .action((options: CommonOptions & ExtractionOptions & HeadOptions) => {
      const experiment = parseExperiment({ ...extractionInput(options), ...trainingInput(options) })
      return runCommand(options, async ({ workspace, progress, signal, folder }) => {
        const { runExperiment } = await import('../../experiment/run.js')
        const { events } = progress
        const result = await runExperiment({ workspace, experiment, folder, signal, events })
        return { json: result, text: describeResult(result) }
      })
    })
}
