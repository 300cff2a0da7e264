#!/usr/bin/env node
// Entry of the command line: commands, and what a failure prints. Exit codes: 0 done, 1 the work
// failed, 2 the request was wrong, 130 or 143 interrupted, 141 nobody reads. Commands import their use-cases when they run:
// TF.js and sharp take most of a second that --help should not cost.
import { Command, CommanderError } from 'commander'
import { parseDebug } from '../config.js'
import { type ErrorCode, HeadstartError, messageOf } from '../errors.js'
import { VERSION } from '../version.js'
import { addBaseCommand } from './commands/base.js'
import { addBasesCommand } from './commands/bases.js'
import { addDatasetCommand } from './commands/dataset.js'
import { addDatasetsCommand } from './commands/datasets.js'
import { addDoctorCommand } from './commands/doctor.js'
import { addExportCommand } from './commands/export.js'
import { addExtractCommand } from './commands/extract.js'
import { addFeaturesCommand } from './commands/features.js'
import { addGcCommand } from './commands/gc.js'
import { addPredictCommand } from './commands/predict.js'
import { addRunCommand } from './commands/run.js'
import { addRunsCommand } from './commands/runs.js'
import { addTrainCommand } from './commands/train.js'
import { addVerifyCommand } from './commands/verify.js'
import { EXIT_CODES } from './exit-codes.js'
import { interruptedExitCode } from './interruption.js'
import { endOnClosedPipe } from './output.js'

const MAX_DETAILS = 25

const buildProgram = (): Command => {
  const program = new Command('headstart')
    .description('Extract features once, train many heads, serve exactly what was trained.')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(headstart <command> --help shows examples)')
    .addHelpText(
      'after',
      `
Examples:
  headstart run experiment.json                 extract what is missing, train, verify, publish
  headstart base add ./mobilenet_v2 --name mobilenet
  headstart predict my-model photo.jpg

Environment:
  HEADSTART_STORE   file:///path or s3://bucket/prefix (default: .headstart/store here)
  docs/configuration.md lists all variables.`,
    )
  const commands = [
    addRunCommand,
    addBaseCommand,
    addDatasetCommand,
    addExtractCommand,
    addTrainCommand,
    addPredictCommand,
    addVerifyCommand,
    addExportCommand,
    addRunsCommand,
    addDatasetsCommand,
    addBasesCommand,
    addFeaturesCommand,
    addGcCommand,
    addDoctorCommand,
  ]
  for (const add of commands) add(program)
  return program
}

/** Found only by doing the work: the request itself was well formed. */
const FOUND_WHILE_WORKING: ReadonlySet<ErrorCode> = new Set([
  'DATASET_QUARANTINE_EXCEEDED',
  'FEATURES_MISMATCH',
  'HEAD_DIVERGED',
])

const exitCodeOf = ({ code, httpStatus, retryable }: HeadstartError): number => {
  if (code === 'INTERRUPTED') return interruptedExitCode()
  const workFailed = httpStatus >= 500 || retryable || FOUND_WHILE_WORKING.has(code)
  return workFailed ? EXIT_CODES.failed : EXIT_CODES.wrongRequest
}

const describeFailure = (error: unknown, debug: boolean): string => {
  if (!(error instanceof HeadstartError)) {
    const stack = error instanceof Error && debug ? `\n${error.stack}` : ''
    return `error INTERNAL: ${messageOf(error)}${stack}\n  This is a defect. HEADSTART_DEBUG=1 prints where.`
  }
  const shown = error.details.slice(0, MAX_DETAILS).map((detail) => `  - ${detail}`)
  const more = error.details.length - shown.length
  const lines = [
    `error ${error.code}: ${error.message}`,
    ...shown,
    ...(more > 0 ? [`  - and ${more} more`] : []),
    `  ${error.remedy}`,
    ...(debug && error.stack !== undefined ? [error.stack] : []),
  ]
  return lines.join('\n')
}

const jsonFailure = (error: unknown): string => {
  const known = error instanceof HeadstartError
  const { code, details, remedy } = known ? error : { code: 'INTERNAL', details: [], remedy: '' }
  return JSON.stringify({ error: { code, message: messageOf(error), details, remedy } }, null, 2)
}

const main = async (argv: readonly string[]): Promise<number> => {
  const debug = parseDebug(process.env)
  try {
    await buildProgram().parseAsync([...argv])
    // A command may have done its work and still found something wrong.
    return Number(process.exitCode ?? EXIT_CODES.done)
  } catch (error) {
    // commander has printed its own message: help and version are no failure.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT_CODES.done
      if (argv.includes('--json')) {
        const wrong = new HeadstartError('REQUEST_INVALID', error.message.replace(/^error: /, ''))
        process.stdout.write(`${jsonFailure(wrong)}\n`)
      }
      return EXIT_CODES.wrongRequest
    }
    process.stderr.write(`${describeFailure(error, debug)}\n`)
    if (argv.includes('--json')) process.stdout.write(`${jsonFailure(error)}\n`)
    return error instanceof HeadstartError ? exitCodeOf(error) : EXIT_CODES.failed
  }
}

endOnClosedPipe()
process.exitCode = await main(process.argv)
