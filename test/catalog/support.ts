// Owns stores filled as users fill them: a tiny base, tiny images, an experiment that was run.
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { HeadstartError } from '../../src/errors.js'
import { addBase, addDataset } from '../../src/experiment/add-named.js'
import type { ExperimentResult } from '../../src/experiment/result.js'
import { runExperiment } from '../../src/experiment/run.js'
import { parseExperiment } from '../../src/experiment/schema.js'
import { openWorkspace, type Workspace } from '../../src/experiment/workspace.js'
import type { BaseRecord } from '../../src/extractor/base/load.js'
import type { Store } from '../../src/store/port.js'
import { makeFolder } from '../support/folders.js'
import { writeTinyBase } from '../support/tiny-base.js'
import { writeTinyImages } from '../support/tiny-images.js'

export interface Installation {
  readonly folder: string
  readonly workspace: Workspace
  readonly store: Store
}

const opened: Workspace[] = []
afterAll(async () => {
  for (const workspace of opened) await workspace.close()
})

const open = async (folder: string): Promise<Installation> => {
  const workspace = await openWorkspace({ directory: folder, cacheBytes: 1e9 })
  opened.push(workspace)
  return { folder, workspace, store: workspace.store }
}

/** An empty store beside a base in `base/` and 24 images in `images/`. */
export const install = async (): Promise<Installation> => {
  const folder = await makeFolder()
  await writeTinyBase(join(folder, 'base'))
  await writeTinyImages(join(folder, 'images'), 8)
  return open(folder)
}

/** The same in a folder of its own: computing it again would take seconds. */
export const copyOf = async (place: Installation): Promise<Installation> => {
  const folder = await makeFolder()
  await cp(place.folder, folder, { recursive: true, preserveTimestamps: true })
  return open(folder)
}

/** Trains a linear head on the images; other members of the experiment may be given. */
export const runTiny = (
  { workspace, folder }: Installation,
  members: Readonly<Record<string, unknown>> = {},
): Promise<ExperimentResult> =>
  runExperiment({
    workspace,
    folder,
    experiment: parseExperiment({
      base: { from: './base', cut: 'pool' },
      dataset: { from: './images' },
      heads: [{ kind: 'linear', epochs: 2 }],
      engine: 'wasm',
      ...members,
    }),
  })

export const nameBase = async (
  { workspace, folder }: Installation,
  name: string,
  from = 'base',
): Promise<BaseRecord> => {
  const { record } = await addBase(workspace, {
    ...{ name, folder },
    from: join(folder, from),
    replace: false,
  })
  return record
}

export const nameDataset = async (
  { store, folder, workspace }: Installation,
  name: string,
  from = 'images',
): Promise<string> => {
  const { dataset, reader } = await addDataset(store, {
    spec: { from: join(folder, from), target: 'single' },
    split: undefined,
    folder,
    hashCacheDir: workspace.hashCacheDir,
    objects: workspace.objects,
    name,
    replace: false,
  })
  await reader.close()
  return dataset.datasetId
}

export const keysOf = async (store: Store, prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

/** The error that a promise is rejected with. */
export const failureOf = async (promise: Promise<unknown>): Promise<HeadstartError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof HeadstartError) return error
  throw new Error(`expected a HeadstartError, got ${String(error)}`, { cause: error })
}
