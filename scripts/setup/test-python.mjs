// Owns the Python of the tests: a virtual environment with the real S3 server (moto), the foreign reader
// of shards (pyarrow), the real Keras 3, which runs on NumPy with the convolutions of jax, and the
// onnxruntime that others load our ONNX files with. Packages
// that the system's Python has are not installed again.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { runCommand } from './command.mjs'
import { pipSettings } from './pip-settings.mjs'

// Importing Keras takes seconds, so it is only looked for.
const PROBE = `import moto.server, moto.s3, numpy, pyarrow, importlib.util
assert all(importlib.util.find_spec(name) for name in ("keras", "jax", "scipy", "onnxruntime"))`
const PACKAGES = ['moto[server]', 'numpy', 'pyarrow', 'keras', 'jax', 'scipy', 'onnxruntime']
const PROBE_TIMEOUT_MS = 60_000

const isReady = (python) =>
  spawnSync(python, ['-c', PROBE], { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS }).status === 0

/**
 * @param {string} folder of the virtual environment.
 * @returns {Promise<void>}
 */
export const ensureTestPython = async (folder) => {
  const python = join(folder, 'bin/python')
  if (isReady(python)) return
  process.stderr.write(`installing ${PACKAGES.join(', ')} for the tests\n`)
  await runCommand('python3', ['-m', 'venv', '--clear', '--system-site-packages', folder], {
    cwd: '.',
    remedy:
      'The tests need Python 3.9 or later with venv: install python3 (Debian: and python3-venv).',
  })
  await runCommand(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], {
    cwd: '.',
    env: pipSettings(),
    remedy: `The tests need ${PACKAGES.join(', ')}; pip says above why they could not be installed.`,
  })
  if (!isReady(python))
    throw new Error(`${python} cannot run \`${PROBE}\`: delete ${folder} and try again`)
}
