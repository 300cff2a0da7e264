// Owns `headstart extract`: stage 1 by itself.
import type { Command } from 'commander'
import type { ExtractOnlyResult } from '../../experiment/extract-only.js'
import { parseExtraction } from '../../experiment/schema.js'
import { type CommonOptions, runCommand } from '../context.js'
import {
  addCommonOptions,
  addExtractionOptions,
  type ExtractionOptions,
  extractionInput,
} from '../options.js'
import { seconds, table } from '../tables.js'

const describe = ({ featureSets, seconds: took }: ExtractOnlyResult): string => {
  const rows = featureSets.map((set) => [
    set.id,
    String(set.samples),
    String(set.computed),
    String(set.reused),
    String(set.quarantined.length),
  ])
  const drawn = table(rows, ['feature set', 'samples', 'computed', 'reused', 'quarantined'])
  const quarantined = featureSets[0]?.quarantined ?? []
  const names = quarantined.map(({ name, reason }) => `quarantined ${name}: ${reason}`)
  return [drawn, ...names, `in ${seconds(took)}`].join('\n')
}

export const addExtractCommand = (program: Command): void => {
  addCommonOptions(
    addExtractionOptions(
      program.command('extract').description('compute the features that the store lacks'),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart extract --base mobilenet --cut flatten_1 --dataset pets
  headstart extract --base ./resnet50 --cut conv5_block3_out --range caffe --dataset ./images`,
    )
    .action((options: CommonOptions & ExtractionOptions) => {
      const extraction = parseExtraction(extractionInput(options))
      return runCommand(options, async ({ workspace, progress, signal, folder }) => {
        const { extractOnly } = await import('../../experiment/extract-only.js')
        const { events } = progress
        const result = await extractOnly({ workspace, extraction, folder, signal, events })
        return { json: result, text: describe(result) }
      })
    })
}
