// Entry of a worker process that extracts features: the same as `headstart worker extract`.
import { runProgram } from '../src/cli/program.js'

await runProgram(['worker', 'extract', ...process.argv.slice(2)])
