// Owns the Python of the peers: a virtual environment in .cache/peers with the versions of requirements.txt.
// Free when it is there. Run: node bench/peers/setup.mjs [--gpu]
import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runCommand } from '../../scripts/setup/command.mjs'
import { withLock } from '../../scripts/setup/lock.mjs'
import { pipSettings } from '../../scripts/setup/pip-settings.mjs'
import { PEER_FOLDER, PEER_PYTHON } from '../lib/paths.mjs'

const PROBE = 'import keras, numpy, onnx, onnxruntime, PIL, sklearn, tensorflow, torch'
const PROBE_TIMEOUT_MS = 180_000
/** What was installed, written when it is complete. */
const RECORD = join(PEER_FOLDER, 'requirements.txt')

const runs = (code) =>
  spawnSync(PEER_PYTHON, ['-c', code], { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status === 0

const install = async (requirements) => {
  const wanted = await readFile(requirements, 'utf8')
  const installed = await readFile(RECORD, 'utf8').catch(() => '')
  if (wanted === installed && runs('')) return
  process.stderr.write('installing the Python peers: some gigabytes\n')
  await runCommand('python3', ['-m', 'venv', '--clear', PEER_FOLDER], {
    cwd: '.',
    remedy: 'The peers need Python 3.11 or later with venv (Debian: python3 and python3-venv).',
  })
  await runCommand(PEER_PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', requirements], {
    cwd: '.',
    env: pipSettings(),
    remedy: `pip says above why ${requirements} could not be installed.`,
  })
  if (!runs(PROBE)) throw new Error(`${PEER_PYTHON} cannot run \`${PROBE}\``)
  await writeFile(RECORD, wanted)
}

const { gpu } = parseArgs({ options: { gpu: { type: 'boolean', default: false } } }).values
const requirements = join(import.meta.dirname, gpu ? 'requirements-gpu.txt' : 'requirements.txt')
await withLock(`${PEER_FOLDER}.lock`, () => install(requirements))
