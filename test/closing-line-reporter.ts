// Owns the last lines of a test run: which engines it ran on, and for machines
// `N passed, N failed[, N skipped]`.
import type { Reporter, SerializedError, TestModule } from 'vitest/node'
import { tensorflowProblem } from './support/tensorflow.js'

const ENGINES =
  tensorflowProblem === null
    ? 'wasm, onnxruntime (cpu), tensorflow (cpu)'
    : `wasm, onnxruntime (cpu); not tensorflow: ${tensorflowProblem}`

/** A file that cannot be loaded and an error outside of any test count as one failure each. */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const testModule of modules) {
      for (const test of testModule.children.allTests()) counts[test.result().state] += 1
      counts.failed += testModule.errors().length
    }
    process.stdout.write(`\nengines: ${ENGINES}; webgpu on a software adapter\n`)
    const skipped = counts.skipped + counts.pending
    const rest = skipped === 0 ? '' : `, ${skipped} skipped`
    process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${rest}\n`)
  }
}
