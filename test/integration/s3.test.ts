// The same experiment on a folder and on a real S3 server: one result, and nothing computed twice.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { openStore } from '../../src/store/open.js'
import { runJson } from '../support/cli.js'
import { filesBelow, makeFolder } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeFiles, writeTinyImages } from '../support/tiny-images.js'
import { contentOf, storeIn } from './state.js'

let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto()
})
afterAll(() => moto.stop())

const makeProject = async (): Promise<string> => {
  const cwd = await makeFolder()
  await writeTinyBase(join(cwd, 'base'))
  await writeTinyImages(join(cwd, 'images'), 12)
  const experiment = {
    base: { from: './base', cut: 'pool' },
    dataset: { from: './images' },
    heads: [{ kind: 'linear', epochs: 4 }],
  }
  await writeFiles(cwd, { 'experiment.json': JSON.stringify(experiment) })
  return cwd
}

it('a folder and an S3 server hold the same objects after the same experiment', async () => {
  const args = ['run', 'experiment.json', '--json']
  const local = await makeProject()
  const onDisk = await runJson<ExperimentResult>(args, { cwd: local })

  const url = `s3://${await moto.createBucket()}/team/features`
  const env = {
    HEADSTART_STORE: url,
    HEADSTART_S3_ENDPOINT: moto.endpoint,
    AWS_ACCESS_KEY_ID: 'test-access-key',
    AWS_SECRET_ACCESS_KEY: 'test-secret-key',
  }
  const remote = await makeProject()
  const inS3 = await runJson<ExperimentResult>(args, { cwd: remote, env })
  expect(inS3.best).toBe(onDisk.best)
  expect(inS3.featureSet).toEqual(onDisk.featureSet)
  expect(inS3.parity).toEqual({ samples: 32, bitwise: true, maxAbsDiff: 0 })

  const store = await openStore({ url, s3Endpoint: moto.endpoint })
  const stored = await contentOf(store)
  expect(stored.size).toBeGreaterThan(6)
  expect(stored).toEqual(await contentOf(storeIn(local)))

  // Another machine: another working directory, the same store.
  const colleague = await makeProject()
  const again = await runJson<ExperimentResult>(args, { cwd: colleague, env })
  expect(again.featureSet).toMatchObject({ computed: 0, reused: 36 })
  expect(again.runs).toMatchObject([{ id: onDisk.best, trained: false }])
  const caches = await filesBelow(join(colleague, '.headstart/cache/objects'))
  expect(caches.length).toBeGreaterThan(0)
  await store.close()
})
