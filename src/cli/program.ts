// Owns the program: all commands, and running one. Exit codes: 0 done, 1 the work failed, 2 the
// request was wrong, 130 or 143 interrupted, 141 nobody reads. Commands import their use-cases when
// they run: TF.js and sharp take most of a second that --help should not cost.
import { Command, CommanderError } from 'commander'
import { parseDebug } from '../config.js'
import { HeadstartError } from '../errors.js'
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
import { addJobsCommand } from './commands/jobs.js'
import { addPredictCommand } from './commands/predict.js'
import { addReportCommand } from './commands/report.js'
import { addRunCommand } from './commands/run.js'
import { addRunsCommand } from './commands/runs.js'
import { addSweepsCommand } from './commands/sweeps.js'
import { addTrainCommand } from './commands/train.js'
import { addUpCommand } from './commands/up.js'
import { addVerifyCommand } from './commands/verify.js'
import { addWorkerCommand } from './commands/worker.js'
import { EXIT_CODES } from './exit-codes.js'
import { describeFailure, exitCodeOf, jsonFailure } from './failure.js'
import { endOnClosedPipe } from './output.js'

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
  headstart up                                  API and workers; other commands then go through it

Environment:
  HEADSTART_STORE   file:///path or s3://bucket/prefix (default: .headstart/store here)
  HEADSTART_QUEUE   redis://host:port (default: embedded, in .headstart/queue, owned by \`up\`)
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
    addReportCommand,
    addExportCommand,
    addUpCommand,
    addWorkerCommand,
    addJobsCommand,
    addRunsCommand,
    addSweepsCommand,
    addDatasetsCommand,
    addBasesCommand,
    addFeaturesCommand,
    addGcCommand,
    addDoctorCommand,
  ]
  for (const add of commands) add(program)
  return program
}

const run = async (argv: readonly string[]): Promise<number> => {
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
    return exitCodeOf(error)
  }
}

/** Runs one command line and sets the exit code of this process. @param args without program and file. */
export const runProgram = async (args: readonly string[]): Promise<void> => {
  endOnClosedPipe()
  process.exitCode = await run([process.execPath, 'headstart', ...args])
}
