// Owns `headstart train`: one head from options, the same job as `headstart run`.
import type { Command } from 'commander'
import { parseExperiment } from '../../experiment/schema.js'
import { type CommonOptions, runCommand } from '../context.js'
import {
  addDetachOption,
  addEngineOptions,
  addExtractionOptions,
  addHeadOptions,
  type DetachOption,
  type ExtractionOptions,
  extractionInput,
  type HeadOptions,
  trainingInput,
} from '../options.js'
import { reportExperiment } from './run.js'

export const addTrainCommand = (program: Command): void => {
  addDetachOption(
    addEngineOptions(
      addHeadOptions(
        addExtractionOptions(
          program
            .command('train')
            .description('train one head; features that are missing are extracted first'),
        ),
      ),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart train --base mobilenet --cut flatten_1 --dataset pets --head linear --name pets-v1
  headstart train --base mobilenet --cut flatten_1 --dataset pets --head mlp --width 128 --dropout 0.3
  headstart train --base mobilenet --cut block_13_expand_relu --cut flatten_1 --dataset pets --head linear`,
    )
    .action((options: CommonOptions & DetachOption & ExtractionOptions & HeadOptions) => {
      const experiment = parseExperiment({ ...extractionInput(options), ...trainingInput(options) })
      return runCommand(options, (context) =>
        reportExperiment(context, { experiment, folder: context.folder }, options),
      )
    })
}
