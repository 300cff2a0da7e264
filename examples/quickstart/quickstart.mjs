// Owns `npm run quickstart`: real weights and 1,906 real emoji, then nothing but the command line on
// experiment.json. The store of this example is .headstart beside this file; delete it to start over.
import { spawn } from 'node:child_process'
import { join, relative } from 'node:path'
import { prepareBase, prepareEmoji } from '../samples/prepare.mjs'

const FOLDER = import.meta.dirname
const DATA = join(FOLDER, '.cache')
const CLI = join(FOLDER, '../../dist/src/cli/main.js')
const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 }

/** Runs the command line in this folder. @returns its exit code. */
const runCli = (args) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: FOLDER, stdio: 'inherit' })
    for (const signal of Object.keys(SIGNAL_EXIT_CODES))
      process.on(signal, () => {
        // A terminal sends Ctrl-C to both; the command line takes a second one as "stop at once".
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
      })
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? SIGNAL_EXIT_CODES[signal] ?? 1))
  })

const nextSteps = () => {
  const headstart = `node ${relative(FOLDER, CLI)}`
  return `
Next, in ${relative(process.cwd(), FOLDER) || '.'}:
  ${headstart} predict emoji .cache/images/food-and-drink/1f34e.png
  ${headstart} run experiment.json      again: nothing is computed, nothing is trained
  change or add a head in experiment.json, then the same: only that head is trained, in seconds
`
}

await prepareBase('mobilenet_v2', join(DATA, 'mobilenet_v2'))
await prepareEmoji(join(DATA, 'images'))
process.exitCode = await runCli(['run', 'experiment.json'])
if (process.exitCode === 0) process.stdout.write(nextSteps())
