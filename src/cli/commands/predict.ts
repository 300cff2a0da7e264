// Owns `headstart predict`.
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { assertNotAborted, HeadstartError } from '../../errors.js'
import { findRun } from '../../model/find-run.js'
import type { NamedPrediction, PredictedLabels } from '../../model/predict.js'
import { type CommonOptions, type Context, type Report, runCommand } from '../context.js'
import { EXIT_CODES } from '../exit-codes.js'
import { addEngineOptions, parseCount } from '../options.js'

const DEFAULT_TOP = 3

interface PredictOptions extends CommonOptions {
  readonly top?: number
}

/** One path a line; nothing when stdin was read to its end before. */
async function* pathsOnStdin(signal: AbortSignal): AsyncGenerator<string> {
  const { stdin } = process
  if (stdin.destroyed) return
  try {
    for await (const line of createInterface({ input: stdin, signal })) if (line) yield line
  } finally {
    // While it is open, whoever writes to it keeps the process alive.
    stdin.destroy()
  }
}

/** Paths from the command line; `-` stands for those on stdin. */
async function* pathsOf(paths: readonly string[], signal: AbortSignal): AsyncGenerator<string> {
  for (const path of paths) {
    assertNotAborted(signal)
    if (path === '-') yield* pathsOnStdin(signal)
    else yield path
  }
}

const numberOf = (label: PredictedLabels[number]): number =>
  'probability' in label ? label.probability : label.value

/** Name and labels, separated by tabs. */
const lineOf = (prediction: NamedPrediction, top: number): string =>
  prediction.ok
    ? [
        prediction.name,
        ...prediction.labels.slice(0, top).map((l) => `${l.label} ${numberOf(l).toFixed(3)}`),
      ].join('\t')
    : `${prediction.name}\tnot predicted: ${prediction.problem}`

/** Lines are printed as they come; only the one document of --json waits for all of them. */
const predict = async (
  { workspace, signal, print }: Context,
  request: { readonly reference: string; readonly paths: readonly string[] },
  { top = DEFAULT_TOP, json = false }: PredictOptions,
): Promise<Report> => {
  const { readInputs } = await import('../../model/inputs.js')
  const { openModel } = await import('../../model/open-model.js')
  const { predictInputs } = await import('../../model/predict.js')
  const run = await findRun(workspace.store, request.reference)
  const model = await openModel(workspace.store, run, { settings: workspace.engines })
  const predictions: NamedPrediction[] = []
  let count = 0
  let allOk = true
  try {
    const inputs = readInputs(pathsOf(request.paths, signal), run.extractor, signal)
    for await (const prediction of predictInputs(model, inputs, signal)) {
      count += 1
      allOk &&= prediction.ok
      if (json) predictions.push(prediction)
      else await print(lineOf(prediction, top))
    }
  } finally {
    await model.close()
  }
  assertNotAborted(signal)
  if (count === 0) {
    const what = run.extractor.input.kind === 'tensor' ? '.npy or .arrow file' : 'image'
    throw new HeadstartError('INPUT_MISSING', `no ${what} was found in ${request.paths.join(', ')}`)
  }
  return {
    json: { run: run.runId, predictions },
    text: undefined,
    ...(allOk ? {} : { exitCode: EXIT_CODES.failed }),
  }
}

export const addPredictCommand = (program: Command): void => {
  addEngineOptions(
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
Prints one line for each input as soon as it is known: its name and its labels, separated by tabs.

Examples:
  headstart predict pets-v1 photo.jpg more-photos/
  find . -name '*.jpg' | headstart predict pets-v1 - --json`,
    )
    .action((reference: string, paths: string[], options: PredictOptions) =>
      runCommand(options, (context) => predict(context, { reference, paths }, options)),
    )
}
