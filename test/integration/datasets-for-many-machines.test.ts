// One experiment on a folder, on a bucket, and on content that was pushed to the store: one result.
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addDataset } from '../../src/experiment/add-named.js'
import { extractOnly } from '../../src/experiment/extract-only.js'
import { pushDataset } from '../../src/experiment/push.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { runExperiment } from '../../src/experiment/run.js'
import { parseExperiment, parseExtraction } from '../../src/experiment/schema.js'
import { verifyRun } from '../../src/experiment/verify.js'
import { openWorkspace, type Workspace } from '../../src/experiment/workspace.js'
import { findRun } from '../../src/model/find-run.js'
import { failureOf } from '../catalog/support.js'
import { makeFolder } from '../support/folders.js'
import { type MotoServer, startMoto } from '../support/moto.js'
import { deleteFile, putFiles } from '../support/s3-files.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { TINY_CLASSES, tinyPng, writeTinyImages } from '../support/tiny-images.js'

let moto: MotoServer
const opened: Workspace[] = []
beforeAll(async () => {
  moto = await startMoto()
})
afterAll(async () => {
  for (const workspace of opened) await workspace.close()
  await moto?.stop()
})

const PER_CLASS = 8

/** A machine: a working directory of its own with the base. */
const makeMachine = async (url?: string): Promise<{ folder: string; workspace: Workspace }> => {
  const folder = await makeFolder()
  await writeTinyBase(join(folder, 'base'))
  const workspace = await openWorkspace({
    directory: folder,
    cacheBytes: 1e9,
    s3Endpoint: moto.endpoint,
    ...(url === undefined ? {} : { url }),
  })
  opened.push(workspace)
  return { folder, workspace }
}

type Machine = Awaited<ReturnType<typeof makeMachine>>

const putImages = async (): Promise<string> => {
  const bucket = await moto.createBucket()
  const images = TINY_CLASSES.flatMap((name, index) =>
    Array.from({ length: PER_CLASS }, (_, n) => [`pets/${name}/${n}.png`, tinyPng(2 - index, n)]),
  )
  await putFiles(moto, bucket, Object.fromEntries(images))
  return `s3://${bucket}/pets`
}

const plan = { base: { from: './base', cut: 'pool' }, engine: 'wasm' } as const

const run = ({ workspace, folder }: Machine, from: string): Promise<ExperimentResult> => {
  const heads = [{ kind: 'linear', epochs: 2 }]
  const experiment = parseExperiment({ ...plan, dataset: { from }, heads })
  return runExperiment({ workspace, folder, experiment })
}

it('a folder and a bucket with the same files give the same run, which verifies from the bucket', async () => {
  const local = await makeMachine()
  await writeTinyImages(join(local.folder, 'images'), PER_CLASS)
  const onDisk = await run(local, './images')

  const remote = await makeMachine()
  const from = await putImages()
  const inS3 = await run(remote, `${from}/`)
  expect(inS3.best).toBe(onDisk.best)
  expect(inS3.featureSet).toEqual(onDisk.featureSet)
  expect(inS3.parity).toMatchObject({ bitwise: true })

  const { store, objects } = remote.workspace
  const record = await findRun(store, inS3.best)
  expect(record.dataset.from).toBe(from)
  const request = { store, objects, run: record, samples: 8 }
  expect(await verifyRun({ ...request, content: from })).toMatchObject({ bitwise: true })
  const nowhere = verifyRun({ ...request, content: `${from}-gone` })
  expect((await failureOf(nowhere)).code).toBe('DATASET_UNREACHABLE')
})

it('an object that vanished costs that object: everything else is computed and kept', async () => {
  const { workspace, folder } = await makeMachine()
  const from = await putImages()
  const { reader } = await addDataset(workspace.store, {
    spec: { from },
    split: undefined,
    folder,
    hashCacheDir: workspace.hashCacheDir,
    objects: workspace.objects,
    name: 'pets',
    replace: false,
  })
  await reader.close()
  await deleteFile(moto, new URL(from).host, 'pets/red/0.png')
  const extraction = parseExtraction({ ...plan, dataset: { from: 'pets' } })
  const failure = await failureOf(extractOnly({ workspace, extraction, folder }))
  expect(failure.code).toBe('DATASET_CHANGED')
  await putFiles(moto, new URL(from).host, { 'pets/red/0.png': tinyPng(0, 0) })
  const { featureSets } = await extractOnly({ workspace, extraction, folder })
  expect(featureSets).toMatchObject([{ computed: 1, reused: 3 * PER_CLASS - 1 }])
})

it('a folder that was pushed is read by a machine that does not have it', async () => {
  const url = `s3://${await moto.createBucket()}/team`
  const owner = await makeMachine(url)
  const images = join(owner.folder, 'images')
  await writeTinyImages(images, PER_CLASS)
  const { workspace, folder } = owner
  const { dataset, reader } = await addDataset(workspace.store, {
    spec: { from: './images' },
    split: undefined,
    folder,
    hashCacheDir: workspace.hashCacheDir,
    objects: workspace.objects,
    name: 'colours',
    replace: false,
  })
  await reader.close()
  const { datasetId } = dataset
  const push = () => pushDataset({ workspace, datasetId, from: [images] })

  const colleague = await makeMachine(url)
  await rename(images, `${images}-elsewhere`)
  const failure = await failureOf(run(colleague, 'colours'))
  expect(failure).toMatchObject({ code: 'DATASET_UNREACHABLE' })
  expect(failure.message).toContain(images)
  expect((await failureOf(push())).code).toBe('DATASET_UNREACHABLE')

  await rename(`${images}-elsewhere`, images)
  expect(await push()).toMatchObject({ uploaded: 3 * PER_CLASS, present: 0 })
  expect(await push()).toMatchObject({ uploaded: 0, present: 3 * PER_CLASS })
  await rename(images, `${images}-elsewhere`)
  const result = await run(colleague, 'colours')
  expect(result.featureSet).toMatchObject({ samples: 3 * PER_CLASS, computed: 3 * PER_CLASS })
  expect(result.parity.bitwise).toBe(true)
})
