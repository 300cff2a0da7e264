#!/usr/bin/env node
// Entry of the command line.
import { runProgram } from './program.js'

await runProgram(process.argv.slice(2))
