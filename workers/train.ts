// Entry of a worker process that trains heads: the same as `headstart worker train`.
import { runProgram } from '../src/cli/program.js'

await runProgram(['worker', 'train', ...process.argv.slice(2)])
