// Owns running Python as another reader of our files. Fails, never skips, when there is none.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'

const VENV_PYTHON = path.resolve('.cache/test-venv/bin/python')

export const findPython = (): string => {
  const python = process.env.HEADSTART_TEST_PYTHON ?? VENV_PYTHON
  if (!existsSync(python))
    throw new Error(`${python} is missing: run \`node scripts/setup.mjs --tests\``)
  return python
}

/** @returns what the script prints. @param given passed as sys.argv[1:]. */
export const runPython = (script: string, given: readonly string[]): string =>
  execFileSync(findPython(), ['-c', script, ...given], { encoding: 'utf8' })
