import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PROJECT, startProcess } from '../support/cli.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'

test('the SDK example trains two heads on one cache and predicts every image', async () => {
  const cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 10)
  const example = join(PROJECT, 'examples/sdk/train-and-predict.mjs')
  const { finished } = startProcess(process.execPath, [example, 'base', 'pool', 'images'], { cwd })
  const { code, stdout, stderr } = await finished
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout).toContain('30 computed, 0 reused')
  expect(stdout.match(/images\/(blue|green|red)\//g)).toHaveLength(30)
})

test('the service example enqueues one job for equal requests and reads the published run', async () => {
  const cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 10)
  const example = join(PROJECT, 'examples/sdk/enqueue-and-wait.mjs')
  const { finished } = startProcess(process.execPath, [example, 'base', 'pool', 'images'], { cwd })
  const { code, stdout, stderr } = await finished
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout).toContain('one job true')
  expect(stdout).toContain('30 computed, 0 reused')
  expect(stdout).toContain('parity bitwise')
})
