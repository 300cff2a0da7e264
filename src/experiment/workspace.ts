// Owns where an installation keeps things: the store, the local caches, the training checkpoints.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { withDiskCache } from '../store/disk-cache.js'
import { type OpenStoreOptions, openStore } from '../store/open.js'
import type { Store } from '../store/port.js'

export interface Workspace {
  readonly store: Store
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
}

/** Opens the store at `url`, or the embedded one in `.headstart/store`. Close it. */
export const openWorkspace = async (options: WorkspaceOptions): Promise<Workspace> => {
  const state = join(options.directory, '.headstart')
  const url = options.url ?? pathToFileURL(join(state, 'store')).href
  const opened = await openStore({ ...options, url })
  const cacheDir = join(state, 'cache')
  // A local store is its own cache.
  const store = url.startsWith('file:')
    ? opened
    : withDiskCache(opened, join(cacheDir, 'objects'), options.cacheBytes)
  return {
    store,
    hashCacheDir: join(cacheDir, 'hashes'),
    checkpointDir: join(cacheDir, 'checkpoints'),
    close: () => store.close(),
  }
}
