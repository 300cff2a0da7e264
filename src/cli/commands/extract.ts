// Owns `headstart extract`: stage 1 by itself, in this process or through a service.
import type { Command } from 'commander'
import type { ExtractOnlyResult } from '../../experiment/extract-only.js'
import { type ExtractionRequest, parseExtraction } from '../../experiment/schema.js'
import { type CommonOptions, type Context, type Report, runCommand } from '../context.js'
import { describeEnqueued } from '../job-text.js'
import {
  addDetachOption,
  addEngineOptions,
  addExtractionOptions,
  type DetachOption,
  type ExtractionOptions,
  extractionInput,
} from '../options.js'
import { openService, requireService, withService } from '../service/choose.js'
import { enqueueExtraction, extractThroughService } from '../service/extraction.js'
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

const extractHere = async (
  { workspace, folder, signal, progress: { events } }: Context,
  extraction: ExtractionRequest,
): Promise<ExtractOnlyResult> => {
  const { extractOnly } = await import('../../experiment/extract-only.js')
  return extractOnly({ workspace, extraction, folder, signal, events })
}

const reportExtraction = async (
  context: Context,
  extraction: ExtractionRequest,
  { detach = false }: DetachOption,
): Promise<Report> => {
  if (detach) {
    const json = await withService(await requireService(context), (chosen) =>
      enqueueExtraction(context, chosen, extraction),
    )
    return { json, text: describeEnqueued(json) }
  }
  const service = await openService(context)
  const json = await (service === null
    ? extractHere(context, extraction)
    : withService(service, (chosen) => extractThroughService(context, chosen, extraction)))
  return { json, text: describe(json) }
}

export const addExtractCommand = (program: Command): void => {
  addDetachOption(
    addEngineOptions(
      addExtractionOptions(
        program.command('extract').description('compute the features that the store lacks'),
      ),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  headstart extract --base mobilenet --cut flatten_1 --dataset pets
  headstart extract --base mobilenet --cut block_13_expand_relu --cut flatten_1 --dataset pets
  headstart extract --base ./resnet50 --cut conv5_block3_out --range caffe --dataset ./images`,
    )
    .action((options: CommonOptions & DetachOption & ExtractionOptions) => {
      const extraction = parseExtraction(extractionInput(options))
      return runCommand(options, (context) => reportExtraction(context, extraction, options))
    })
}
