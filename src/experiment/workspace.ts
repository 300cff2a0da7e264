// Owns where an installation keeps things: the store, the local caches, the training checkpoints.
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HeadstartError } from '../errors.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from '../extractor/engine-settings.js'
import { defaultMemoryBytes } from '../features/memory-budget.js'
import { withDiskCache } from '../store/disk-cache.js'
import type { OpenObjects } from '../store/object-source.js'
import {
  createObjectOpener,
  type OpenStoreOptions,
  openStore,
  parseStoreUrl,
} from '../store/open.js'
import type { Store } from '../store/port.js'

export interface Workspace {
  readonly engines: EngineSettings
  /** What it was opened with: enough to open it again in another process. Holds no secret. */
  readonly options: WorkspaceOptions
  readonly store: Store
  /** Buckets to read datasets from, with the S3 settings of the store; closed with the workspace. */
  readonly objects: OpenObjects
  /** Copies of a remote store's objects, by their SHA-256; undefined: the store is local. */
  readonly objectCacheDir: string | undefined
  /** Most memory that features of a training may take, in bytes. */
  readonly memoryBytes: number
  /** Remembered hashes of local files. */
  readonly hashCacheDir: string
  readonly checkpointDir: string
  close(): Promise<void>
}

export interface WorkspaceOptions extends Partial<OpenStoreOptions> {
  /** Holds `.headstart`; usually the working directory. */
  readonly directory: string
  /** Bound of local copies of remote shards, in bytes. */
  readonly cacheBytes: number
  /** Most memory that features of a training may take, in bytes; default: 70 % of what there is. */
  readonly memoryBytes?: number
  /** What the operator decides about engines; default: any device, no SavedModel. */
  readonly engines?: EngineSettings
}

/** A file in the way of the store's folder would look like a fault of every key. */
const assertNoFileInTheWay = async (url: string): Promise<void> => {
  const location = parseStoreUrl(url)
  if (location.kind !== 'file') return
  const { directory } = location
  for (let path = directory; ; path = dirname(path)) {
    const found = await stat(path).catch(() => null)
    if (found?.isDirectory() || path === dirname(path)) return
    if (found !== null)
      throw new HeadstartError(
        'STORE_UNAVAILABLE',
        `the store folder ${directory} cannot be made: ${path} is no folder`,
      )
  }
}

/** Opens the store at `url`, or the embedded one in `.headstart/store`. Close it. */
export const openWorkspace = async (options: WorkspaceOptions): Promise<Workspace> => {
  const state = join(options.directory, '.headstart')
  const url = options.url ?? pathToFileURL(join(state, 'store')).href
  await assertNoFileInTheWay(url)
  const opened = await openStore({ ...options, url })
  const cacheDir = join(state, 'cache')
  // A local store is its own cache.
  const objectCacheDir = url.startsWith('file:') ? undefined : join(cacheDir, 'objects')
  const store =
    objectCacheDir === undefined
      ? opened
      : withDiskCache(opened, objectCacheDir, options.cacheBytes)
  const objects = createObjectOpener(options)
  return {
    options,
    engines: options.engines ?? DEFAULT_ENGINE_SETTINGS,
    store,
    objects: objects.open,
    objectCacheDir,
    memoryBytes: options.memoryBytes ?? defaultMemoryBytes(),
    hashCacheDir: join(cacheDir, 'hashes'),
    checkpointDir: join(cacheDir, 'checkpoints'),
    close: async () => {
      await objects.close()
      await store.close()
    },
  }
}
