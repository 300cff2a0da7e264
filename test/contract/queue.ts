// The conformance suite of the service: the same sentences on every queue. Unique folder and database
// for each test; real workers, in stage processes of their own.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { isHeadstartError } from '../../src/errors.js'
import type { ExperimentInput } from '../../src/experiment/schema.js'
import type { Workspace } from '../../src/experiment/workspace.js'
import { loadFeatureSet } from '../../src/features/feature-set.js'
import { loadFeatures } from '../../src/features/load-features.js'
import { openBackend } from '../../src/queue/backend.js'
import { extractionJobId, PAYLOAD_VERSION, queueNamesOf, shardJobId } from '../../src/queue/jobs.js'
import type { QueueBackend } from '../../src/queue/port.js'
import { createService } from '../../src/queue/service.js'
import type { JobView, Service } from '../../src/queue/types.js'
import { type RunningWorker, startWorker } from '../../src/queue/workers.js'
import { openIn, runIn } from '../integration/experiments.js'
import { keysBelow } from '../integration/state.js'
import { denseLabels, denseRows, npyOf, writeDenseBase } from '../support/dense-base.js'
import { makeFolder } from '../support/folders.js'
import { writeFiles } from '../support/tiny-images.js'

export interface QueueUnderTest {
  /** The address of a queue of its own; undefined: the embedded one of the folder. */
  readonly queue?: string
}

/** Some shards of 2,048 target rows. */
const ROWS = 9000
/** So many shards that most are missing when a first one is there, on faster machines too. */
const MANY_ROWS = 40_000
const HEADS = [{ kind: 'linear' as const, epochs: 2 }]
const ROW_WIDTH = 6

const EXPERIMENT: ExperimentInput = {
  base: { from: './base', cut: 'features' },
  dataset: { from: './rows.npy', labels: './labels.csv' },
  heads: HEADS,
}
const { heads: _heads, ...EXTRACTION } = EXPERIMENT

/** Rows [from, to) of one endless dataset: ranges that overlap share samples. */
const writeRows = async (folder: string, name: string, from: number, to: number): Promise<void> => {
  const values = denseRows(to).subarray(from * ROW_WIDTH)
  const labels = denseLabels(to).split('\n').slice(1)
  await writeFiles(folder, {
    [`${name}.npy`]: npyOf([to - from, ROW_WIDTH], values),
    [`${name}.csv`]: ['label', ...labels.slice(from, to), ''].join('\n'),
  })
}

const makeProject = async (): Promise<string> => {
  const folder = await makeFolder()
  await mkdir(folder, { recursive: true })
  await writeDenseBase(join(folder, 'base'))
  await writeRows(folder, 'rows', 0, ROWS)
  await writeFiles(folder, { 'labels.csv': denseLabels(ROWS) })
  return folder
}

interface Started {
  readonly service: Service
  readonly backend: QueueBackend
  readonly workspace: Workspace
  startWorker(kind: 'extract' | 'train'): Promise<void>
  close(): Promise<void>
}

const startIn = async (folder: string, { queue }: QueueUnderTest): Promise<Started> => {
  const workspace = await openIn(folder)
  const backend = await openBackend(queue ?? join(folder, '.headstart', 'queue'))
  const workers: RunningWorker[] = []
  return {
    service: createService(backend, workspace),
    backend,
    workspace,
    startWorker: async (kind) => {
      workers.push(await startWorker(kind, { backend, workspace }))
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()))
      await backend.close()
      await workspace.close()
    },
  }
}

const features = async ({ workspace }: Started, featureSetId: string) => {
  const set = await loadFeatureSet(workspace.store, featureSetId)
  if (set === null) throw new Error('there is no feature set')
  return { set, block: await loadFeatures(workspace.store, set) }
}

/** As a client of another release, or a hostile one, might. */
const addRaw = async ({ backend }: Started, id: string, data: object): Promise<void> => {
  const [queueName = ''] = queueNamesOf('extraction')
  await backend.queue(queueName).add('extraction', data, { jobId: id })
}

/** Forward passes of all shard jobs. */
const countPasses = async ({ service }: Started): Promise<number> => {
  const shards = await service.listJobs({ kind: 'shard' })
  return shards.reduce(
    (sum, { result }) => sum + (result?.kind === 'shard' ? result.computed : 0),
    0,
  )
}

export const describeQueue = (
  name: string,
  prepare: () => Promise<QueueUnderTest>,
  timeoutMs = 120_000,
): void => {
  describe(`${name}: the service`, { timeout: timeoutMs }, () => {
    const open: Started[] = []
    const folders: string[] = []
    const start = async (folder: string, workers = true): Promise<Started> => {
      const started = await startIn(folder, await prepare())
      open.push(started)
      if (workers) {
        await started.startWorker('extract')
        await started.startWorker('train')
      }
      return started
    }
    const project = async (): Promise<string> => {
      const folder = await makeProject()
      folders.push(folder)
      return folder
    }
    afterEach(async () => {
      for (const started of open.splice(0)) await started.close()
    })
    afterAll(async () => {
      for (const folder of folders) await rm(folder, { recursive: true, force: true })
    })

    it('an enqueued training ends as the same experiment does in one process', async () => {
      const folder = await project()
      const inline = await runIn(await project(), EXPERIMENT)
      const started = await start(folder)
      const { service } = started
      const training = await service.enqueueTraining(EXPERIMENT, { folder })
      const states: JobView[] = []
      training.on('progress', (job) => states.push(job))
      const [extracted] = await training.extraction.finished()
      const [result] = await training.finished()

      expect(extracted).toMatchObject({
        featureSetId: inline.featureSet.id,
        samples: ROWS,
        computed: ROWS,
        reused: 0,
        quarantined: 0,
      })
      expect(result?.runs.map(({ id }) => id)).toEqual(inline.runs.map(({ id }) => id))
      expect(training.runIds).toEqual(inline.runs.map(({ id }) => id))
      const run = await service.getRun(training.runIds[0] ?? '')
      expect(run.metrics).toEqual(inline.runs[0]?.metrics)
      expect((await service.listRuns()).items).toHaveLength(1)
      expect(states.at(-1)).toMatchObject({ state: 'completed', progress: { phase: 'training' } })
    })

    it('a thousand equal requests at once are one job, and the same request later computes nothing', async () => {
      const folder = await project()
      const started = await start(folder, false)
      const { service } = started
      const handles = await Promise.all(
        Array.from({ length: 1000 }, () => service.enqueueExtraction(EXTRACTION, { folder })),
      )
      expect(new Set(handles.flatMap(({ ids }) => ids)).size).toBe(1)
      expect(await service.listJobs()).toHaveLength(1)
      await started.startWorker('extract')
      expect(await handles[0]?.finished()).toMatchObject([{ computed: ROWS }])
      const again = await service.enqueueExtraction(EXTRACTION, { folder })
      expect(again.ids).toEqual(handles[0]?.ids)
      expect(await again.finished()).toMatchObject([{ computed: 0, reused: ROWS }])
    })

    it('twenty trainings on a dataset that nobody has extracted compute each row once', async () => {
      const folder = await project()
      const started = await start(folder)
      const { service } = started
      const trainings = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          service.enqueueTraining({ ...EXPERIMENT, seed: i + 1 }, { folder }),
        ),
      )
      for (const training of trainings)
        expect(await training.finished()).toMatchObject([{ runs: [{ trained: true }] }])
      expect((await service.listRuns()).items).toHaveLength(20)
      expect(await countPasses(started)).toBe(ROWS)
    })

    it('two overlapping datasets enqueued together compute the shared samples once', async () => {
      const folder = await project()
      await writeRows(folder, 'first', 0, 6000)
      await writeRows(folder, 'second', 3000, ROWS)
      const started = await start(folder)
      const { service } = started
      const enqueue = (dataset: string) =>
        service.enqueueExtraction(
          { ...EXTRACTION, dataset: { from: `./${dataset}.npy`, labels: `./${dataset}.csv` } },
          { folder },
        )
      const handles = await Promise.all([enqueue('first'), enqueue('second')])
      for (const handle of handles)
        expect(await handle.finished()).toMatchObject([{ samples: 6000 }])
      expect(await countPasses(started)).toBe(ROWS)
      for (const { featureSetIds } of handles) {
        const { block } = await features(started, featureSetIds[0] ?? '')
        expect(block.keys).toHaveLength(6000)
        expect(new Set(block.keys).size).toBe(6000)
      }
    })

    it('two cuts compute each row once, together with requests for one of them', async () => {
      const folder = await project()
      await writeDenseBase(join(folder, 'base'), true)
      const started = await start(folder)
      const { service } = started
      const cuts = ['features', 'squashed']
      const both = { ...EXTRACTION, base: { from: './base', cuts } }
      const handle = await service.enqueueExtraction(both, { folder })
      const results = await handle.finished()
      expect(results.map(({ samples }) => samples)).toEqual([ROWS, ROWS])
      expect(results.reduce((sum, { computed }) => sum + computed, 0)).toBe(ROWS)
      expect(await countPasses(started)).toBe(ROWS)
      const alone = { ...EXTRACTION, base: { from: './base', cut: 'squashed' } }
      const later = await service.enqueueExtraction(alone, { folder })
      expect(later.featureSetIds).toEqual(handle.featureSetIds.slice(1))
      expect(await later.finished()).toMatchObject([{ computed: 0, reused: ROWS }])
      expect(await countPasses(started)).toBe(ROWS)
    })

    it('a cancelled extraction stops, keeps its rows, and goes on when it is asked for again', async () => {
      const folder = await project()
      await writeRows(folder, 'many', 0, MANY_ROWS)
      const many = { ...EXTRACTION, dataset: { from: './many.npy', labels: './many.csv' } }
      const started = await start(folder)
      const { service } = started
      const extraction = await service.enqueueExtraction(many, { folder })
      const cancelled = new Promise<void>((resolve) => {
        extraction.on('progress', ({ progress }) => {
          if (progress?.kind === 'extraction' && progress.done > 0) resolve(extraction.cancel())
        })
      })
      const error = await extraction.finished().catch((thrown: unknown) => thrown)
      await cancelled
      expect(isHeadstartError(error, 'JOB_CANCELLED')).toBe(true)
      expect(await service.getJob(extraction.ids[0] ?? '')).toMatchObject({ state: 'cancelled' })

      const again = await service.enqueueExtraction(many, { folder })
      const [result] = await again.finished()
      expect(result?.samples).toBe(MANY_ROWS)
      expect(result?.computed).toBeLessThan(MANY_ROWS)
      const { block } = await features(started, result?.featureSetId ?? '')
      expect(block.keys).toHaveLength(MANY_ROWS)
    })

    it('a job that waits is cancelled at once, and can be forgotten', async () => {
      const folder = await project()
      const started = await start(folder, false)
      const { service } = started
      const extraction = await service.enqueueExtraction(EXTRACTION, { folder })
      const [id = ''] = extraction.ids
      await expect(service.removeJob(id)).rejects.toMatchObject({ code: 'IN_USE' })
      await extraction.cancel()
      await expect(extraction.finished()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
      await started.startWorker('extract')
      await expect
        .poll(async () => (await service.getJob(id))?.finishedAt ?? null, { timeout: 60_000 })
        .not.toBeNull()
      await service.removeJob(id)
      expect(await service.getJob(id)).toBeNull()
      await expect(service.cancelJob(id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    it('content that no worker can reach is said at once, and nothing is planned', async () => {
      const folder = await project()
      const started = await start(folder)
      const { service } = started
      await service.enqueueExtraction(EXTRACTION, { folder }).then(({ finished }) => finished())
      for (const prefix of ['features/', 'feature-sets/'])
        for (const key of await keysBelow(started.workspace.store, prefix))
          await started.workspace.store.delete(key)
      const id = extractionJobId('0'.repeat(64))
      const [known] = await service.listJobs({ kind: 'extraction' })
      const { extractorId = '' } = known?.result?.kind === 'extraction' ? known.result : {}
      const backendJob = { version: PAYLOAD_VERSION, extractorId, datasetId: known?.datasetId }
      await addRaw(started, id, { ...backendJob, content: join(folder, 'elsewhere.npy') })
      await expect(service.attach([id]).finished()).rejects.toMatchObject({
        code: 'DATASET_UNREACHABLE',
      })
      expect(await keysBelow(started.workspace.store, 'features/')).toEqual([])
    })

    it('a payload that is none fails with its faults; an unknown id is not found', async () => {
      const folder = await project()
      const started = await start(folder)
      const { service } = started
      const id = extractionJobId('1'.repeat(64))
      await addRaw(started, id, { version: PAYLOAD_VERSION, datasetId: 7 })
      await expect(service.attach([id]).finished()).rejects.toMatchObject({
        code: 'REQUEST_INVALID',
      })
      expect(await service.getJob(shardJobId('x'))).toBeNull()
      expect(await service.getJob('../../etc/passwd')).toBeNull()
      await expect(service.cancelJob('extraction-x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })
  })
}
