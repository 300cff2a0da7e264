// Owns set-up: `node scripts/setup.mjs [--tests]` makes a fresh clone ready, and costs seconds when
// it is. Plain Node, no dependency. A step that fails says what is missing; none is skipped.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './setup/command.mjs'
import { withLock } from './setup/lock.mjs'
import { installPackages } from './setup/packages.mjs'
import { ensureTestPython } from './setup/test-python.mjs'
import { ensureTestRedis } from './setup/test-redis.mjs'
import { ensureTestTensorflow } from './setup/test-tensorflow.mjs'
import { ensureTestVulkan } from './setup/test-vulkan.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const LEAST_NODE = [20, 19]

const assertNode = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return
  throw new Error(
    `Node ${LEAST_NODE.join('.')} or later is needed, this is ${process.versions.node}`,
  )
}

const assertArguments = (given) => {
  const unknown = given.filter((argument) => argument !== '--tests')
  if (unknown.length > 0) throw new Error(`unknown argument ${unknown.join(' ')}; known: --tests`)
}

const setUp = async (tests) => {
  await installPackages({ folder: ROOT, what: 'packages of Headstart' })
  await installPackages({
    folder: join(ROOT, 'examples/samples'),
    what: 'sample models and images',
    // Only files are read of them: no script runs, no peer is needed.
    flags: ['--ignore-scripts', '--legacy-peer-deps'],
  })
  await runCommand('npm', ['run', '--silent', 'build'], {
    cwd: ROOT,
    remedy: 'The TypeScript sources do not compile; the errors stand above.',
  })
  if (!tests) return
  await ensureTestPython(join(ROOT, '.cache/test-venv'))
  await ensureTestRedis({
    folder: join(ROOT, '.cache/redis'),
    record: join(ROOT, '.cache/test-redis.json'),
  })
  await ensureTestTensorflow(join(ROOT, '.cache/tensorflow'))
  await ensureTestVulkan({
    folder: join(ROOT, '.cache/vulkan'),
    record: join(ROOT, '.cache/test-vulkan.json'),
  })
}

try {
  assertNode()
  assertArguments(process.argv.slice(2))
  await withLock(join(ROOT, '.cache/setup.lock'), () => setUp(process.argv.includes('--tests')))
} catch (error) {
  process.stderr.write(`set-up failed: ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
