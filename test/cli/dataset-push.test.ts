// `headstart dataset add s3://` and `dataset push`, as processes, with a kill in between.
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExtractOnlyResult } from '../../src/experiment/extract-only.js'
import type { PushedDataset } from '../../src/experiment/push.js'
import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/port.js'
import { documentOf, type JsonFailure, runCli, runJson, startCli } from '../support/cli.js'
import { makeFolder, until } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { putFiles } from '../support/s3-files.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { TINY_CLASSES, tinyPng, writeTinyImages } from '../support/tiny-images.js'

let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto()
})
afterAll(() => moto?.stop())

const environment = (url: string) => ({
  HEADSTART_STORE: url,
  HEADSTART_S3_ENDPOINT: moto.endpoint,
  AWS_ACCESS_KEY_ID: 'test-access-key',
  AWS_SECRET_ACCESS_KEY: 'test-secret-key',
})

const countBelow = async (store: Store, prefix: string): Promise<number> => {
  let count = 0
  for await (const _ of store.list(prefix)) count += 1
  return count
}

const extractArgs = ['extract', '--base', './base', '--cut', 'pool', '--engine', 'wasm']

describe('headstart dataset push', () => {
  it('goes on after a kill, and serves a machine that has no files', async () => {
    const url = `s3://${await moto.createBucket()}/team`
    const store = await openStore({ url, s3Endpoint: moto.endpoint })
    const options = { cwd: await makeFolder(), env: environment(url) }
    await writeTinyImages(join(options.cwd, 'images'), 150)
    await runJson(['dataset', 'add', './images', '--name', 'colours'], options)

    const running = startCli(['dataset', 'push', 'colours'], options)
    await until(async () => (await countBelow(store, 'blobs/')) >= 20)
    running.child.kill('SIGKILL')
    await running.finished
    // The server may still be writing what it was sent.
    let there = -1
    await until(async () => {
      const before = there
      await sleep(500)
      there = await countBelow(store, 'blobs/')
      return there === before
    })
    expect(there).toBeLessThan(450)

    const pushed = await runJson<PushedDataset>(['dataset', 'push', 'colours'], options)
    expect(pushed).toMatchObject({ samples: 450, uploaded: 450 - there, present: there })
    const text = await runCli(['dataset', 'push', pushed.datasetId.slice(0, 12)], options)
    expect([text.code, text.stdout]).toEqual([0, expect.stringMatching(/already there +450/)])

    await rename(join(options.cwd, 'images'), join(options.cwd, 'elsewhere'))
    const colleague = { ...options, cwd: await makeFolder() }
    await writeTinyBase(join(colleague.cwd, 'base'))
    const args = [...extractArgs, '--dataset', 'colours']
    const { featureSets } = await runJson<ExtractOnlyResult>(args, colleague)
    expect(featureSets).toMatchObject([{ samples: 450, computed: 450, quarantined: [] }])
    await store.close()
  })

  it('is asked for where the files are missing', async () => {
    const cwd = await makeFolder()
    await writeTinyImages(join(cwd, 'images'), 4)
    await writeTinyBase(join(cwd, 'base'))
    await runJson(['dataset', 'add', './images', '--name', 'colours'], { cwd })
    await rename(join(cwd, 'images'), join(cwd, 'elsewhere'))
    for (const args of [
      ['dataset', 'push', 'colours'],
      [...extractArgs, '--dataset', 'colours'],
    ]) {
      const result = await runCli([...args, '--json'], { cwd })
      const { error } = documentOf<{ error: JsonFailure }>(result)
      expect([result.code, error.code]).toEqual([2, 'DATASET_UNREACHABLE'])
      expect(error.remedy).toContain('headstart dataset push')
    }
    const unknown = await runCli(['dataset', 'push', 'nothing', '--json'], { cwd })
    expect(documentOf<{ error: JsonFailure }>(unknown).error.code).toBe('NOT_FOUND')
  })
})

describe('an s3:// dataset on the command line', () => {
  it('can be added, extracted and named directly, with the settings of the store', async () => {
    const bucket = await moto.createBucket()
    const images = TINY_CLASSES.flatMap((name, index) =>
      [0, 1, 2, 3].map((n) => [`pets/${name}/${n}.png`, tinyPng(2 - index, n)] as const),
    )
    await putFiles(moto, bucket, Object.fromEntries(images))
    const { HEADSTART_STORE: _, ...env } = environment('')
    const options = { cwd: await makeFolder(), env }
    await writeTinyBase(join(options.cwd, 'base'))
    const from = `s3://${bucket}/pets`
    const added = await runJson<{ datasetId: string; samples: number }>(
      ['dataset', 'add', from, '--name', 'pets'],
      options,
    )
    expect(added.samples).toBe(12)
    await writeTinyImages(join(options.cwd, 'images'), 4)
    const local = await runJson<{ datasetId: string }>(
      ['dataset', 'add', './images', '--name', 'local'],
      options,
    )
    expect(added.datasetId).toBe(local.datasetId)
    for (const dataset of [from, 'pets']) {
      const args = [...extractArgs, '--dataset', dataset]
      const { featureSets } = await runJson<ExtractOnlyResult>(args, options)
      expect(featureSets).toMatchObject([{ samples: 12, quarantined: [] }])
    }
    const secret = await runCli(['dataset', 'add', 's3://k:topsecret@b/x', '--name', 'x'], options)
    expect([secret.code, `${secret.stdout}${secret.stderr}`]).toEqual([
      2,
      expect.not.stringContaining('topsecret'),
    ])
  })
})
