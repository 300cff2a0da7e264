// Owns running another program for the set-up: its output is shown, its failure is explained.
import { spawn } from 'node:child_process'

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd: string, remedy: string, env?: Record<string, string> }} options
 *   `remedy`: what to do when it fails; `env`: added to the environment.
 * @returns {Promise<void>}
 */
export const runCommand = (program, args, { cwd, remedy, env = {} }) =>
  new Promise((resolve, reject) => {
    const shown = `${program} ${args.join(' ')}`
    // Standard output belongs to the command that set-up precedes.
    const stdio = ['ignore', process.stderr, process.stderr]
    const child = spawn(program, args, { cwd, stdio, env: { ...process.env, ...env } })
    child.once('error', (cause) =>
      reject(new Error(`\`${shown}\` does not start (${cause.message}).\n  ${remedy}`, { cause })),
    )
    child.once('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(`\`${shown}\` ended with ${signal ?? code} in ${cwd}.\n  ${remedy}`))
    })
  })
